"""Servers to compare with: the API's application with plain routes added, and the same routes on bare Flask.

`python -m tests.benchmarks.baseline_server limited` serves the API itself and also an endpoint that returns an
empty object, the same after a bare statement, and plain routes, all of them behind the same limiter and with the
same headers; `bare` serves the plain routes without any of that. Both run as the API runs.
"""

import gc
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from threading import local
from typing import Any, cast

import orjson
import psycopg
from flask import Flask, Response
from granian import Granian
from granian.constants import Interfaces
from psycopg.rows import dict_row

from api import config
from api.app import create_app
from api.config import Config
from api.database.pool import Database
from api.database.statement import compile_statement
from api.plan.lead import LeadRow
from api.plan.statistics import lead_statistics
from api.response import conditional
from api.response.body import note_freshness

END = b'"timestamp":"2026-01-01T00:00:00.000Z","correlationId":"1767225600000-abcdefghi"}'
"""How each answer of a plain route ends."""

SINGLE = "SELECT document FROM read_model.leads WHERE user_id = %s AND customer_phone = %s"
_DOCUMENT = "SELECT document FROM read_model.leads AS l WHERE user_id = %s"
_NEWEST = " ORDER BY last_message_at DESC NULLS LAST, customer_phone DESC LIMIT 50"
_BY_PROFILE = (
    "SELECT (SELECT document FROM read_model.leads AS l WHERE (l.user_id, l.customer_phone) ="
    " (p.user_id, p.customer_phone)) FROM read_model.lead_profiles AS p WHERE p.user_id = %s"
)
LIST = _DOCUMENT + _NEWEST
TOTAL = "SELECT sum(leads)::bigint FROM read_model.lead_counts WHERE user_id = %s"
MESSAGES = (
    "SELECT m.message_id, m.conversation_id, c.agent_id, c.agent_name, c.platform, c.phone_number_id, m.sender, m.text,"
    " m.sent_at, m.status, m.sequence_no FROM read_model.lead_messages AS m"
    " JOIN read_model.lead_conversations AS c USING (user_id, customer_phone, conversation_id)"
    " WHERE m.user_id = %s AND m.customer_phone = %s"
    " ORDER BY m.sent_at, m.conversation_id, m.sequence_no, m.message_id LIMIT 50"
)
# The plainest statement for the rows of a read, by the name of the read; the statistics are asked as the API asks them.
BARE = {
    "nothing": "SELECT 1",
    "single": SINGLE,
    "list": LIST,
    "name": f"{_BY_PROFILE} AND name_key IS NOT NULL ORDER BY name_key, customer_phone LIMIT 50",
    "score": (
        f"{_BY_PROFILE} AND total_score IS NOT NULL ORDER BY total_score DESC, customer_phone DESC LIMIT 50"
    ),
    "hot": f"{_DOCUMENT} AND lead_status = 'Hot'{_NEWEST}",
    "platforms": f"{_DOCUMENT} AND (on_instagram OR on_webchat){_NEWEST}",
    "email": f"{_DOCUMENT} AND has_email AND last_message_at >= now() - interval '30 days'{_NEWEST}",
    "messages": MESSAGES,
}
# The columns that a route prints which has no document.
COLUMNS = (
    "SELECT l.customer_phone, p.name, p.email, p.company, l.lead_status, l.total_score, p.intent_score,"
    " p.urgency_score, p.budget_score, p.fit_score, p.engagement_score, l.total_messages,"
    " p.template_sends_count, l.last_message_at, l.first_contact_at, l.has_extraction, p.extraction_id,"
    " (SELECT json_agg(c ORDER BY c.newest_message_at DESC)"
    "  FROM (SELECT conversation_id, agent_id, agent_name, platform, phone_number_id, message_count, is_active,"
    "   created_at, newest_message_at FROM read_model.lead_conversations AS lc WHERE lc.user_id = l.user_id"
    "   AND lc.customer_phone = l.customer_phone) AS c) AS conversations"
    " FROM read_model.leads AS l JOIN read_model.lead_profiles AS p USING (user_id, customer_phone)"
    " WHERE l.user_id = %s ORDER BY l.last_message_at DESC NULLS LAST, l.customer_phone DESC LIMIT 50"
)


def application(kind: str) -> Flask:
    """One of the two applications."""
    settings = config.load()
    database = _Connections(settings)
    if kind == "bare":
        app = Flask("bare", static_folder=None)
        _add_routes(app, database, "", _bare)
        return app
    app = create_app(settings)
    # What the API does for the endpoints of its blueprint, it does for these.
    _add_routes(app, database, "leads.", _limited)
    return app


def ask(connection: psycopg.Connection[Any], name: str, user_id: str, customer_phone: str) -> list[Any]:
    """The rows of a read by its bare prepared statement."""
    if name == "statistics":
        asked = compile_statement(lead_statistics(user_id, datetime.now(UTC)))
        raw = psycopg.RawCursor(connection)
        values = [asked.values[value] for value in asked.names]
        return raw.execute(asked.text, values, prepare=True).fetchall()
    query = BARE[name]
    return (
        connection.cursor()
        .execute(query.encode(), (user_id, customer_phone)[: query.count("%s")], prepare=True)
        .fetchall()
    )


class _Connections:
    """One plain psycopg connection a thread, and one with the settings of the API."""

    def __init__(self, settings: Config) -> None:
        self._url = settings.database_url
        # The owner's rights: row security is part of what the API pays, and of no baseline.
        self._api = Database(replace(settings, role=""))
        self._local = local()

    def ask(self, name: str, user_id: str, customer_phone: str) -> list[Any]:
        if not hasattr(self._local, "pooled"):
            self._local.pooled = self._api.engine.raw_connection()
        connection = cast("psycopg.Connection[Any]", self._local.pooled.driver_connection)
        return ask(connection, name, user_id, customer_phone)

    def fetch(self, query: str, *values: str, as_dicts: bool = False) -> list[Any]:
        if not hasattr(self._local, "connection"):
            self._local.connection = psycopg.connect(self._url, autocommit=True)
        cursor = self._local.connection.cursor(row_factory=dict_row) if as_dicts else self._local.connection
        rows: list[Any] = cursor.execute(query.encode(), values, prepare=True).fetchall()
        return rows


def _add_routes(
    app: Flask, database: _Connections, prefix: str, answer: Callable[[bytes, bytes | None], Response]
) -> None:
    def empty(user_id: str) -> Response:  # noqa: ARG001  # As every endpoint has it.
        return answer(b"{}", None)

    def bare(user_id: str, name: str, customer_phone: str) -> Response:
        database.ask(name, user_id, customer_phone)
        return answer(b"{}", None)

    def single(user_id: str, customer_phone: str) -> Response:
        [(document,)] = database.fetch(SINGLE, user_id, customer_phone)
        return answer(document.encode(), None)

    def page(user_id: str) -> Response:
        documents = ",".join([document for (document,) in database.fetch(LIST, user_id)])
        [(total,)] = database.fetch(TOTAL, user_id)
        pages = f'{{"total":{total},"limit":50,"offset":0,"hasMore":{"true" if total > 50 else "false"}}}'
        return answer(f"[{documents}]".encode(), pages.encode())

    def dicts(user_id: str) -> Response:
        return answer(orjson.dumps(database.fetch(COLUMNS, user_id, as_dicts=True)), None)

    for path, view in (
        ("/plain/<user_id>/empty", empty),
        ("/plain/<user_id>/bare/<name>/<customer_phone>", bare),
        ("/plain/<user_id>/single/<customer_phone>", single),
        ("/plain/<user_id>/list", page),
        ("/plain/<user_id>/dicts", dicts),
    ):
        app.add_url_rule(path, endpoint=f"{prefix}plain_{view.__name__}", view_func=view)


_AS_OF = datetime.now(UTC)


def _limited(data: bytes, pagination: bytes | None) -> Response:
    """The answer of the API around the data, with all its headers."""
    note_freshness(LeadRow(_AS_OF, 0, b"1", None))
    return conditional.answer(data, pagination)


def _bare(data: bytes, pagination: bytes | None) -> Response:
    """The same bytes, as plainly as can be."""
    paged = b"" if pagination is None else b'"pagination":' + pagination + b","
    return Response(b'{"success":true,"data":' + data + b"," + paged + END, mimetype="application/json")


def main() -> None:
    """Serve one of the two."""
    serve(f"tests.benchmarks.baseline_server:{sys.argv[1]}")


def serve(factory: str) -> None:
    """Serve the application that `module:function` returns as the API is served, until a signal."""
    settings = config.load()
    Granian(
        factory,
        factory=True,
        interface=Interfaces.WSGI,
        address=settings.host,
        port=settings.port,
        workers=settings.workers,
        blocking_threads=settings.threads,
        websockets=False,
    ).serve()


def served(kind: str) -> Flask:
    """The application as a worker of the API has it."""
    app = application(kind)
    gc.collect()
    gc.freeze()
    return app


limited = partial(served, "limited")
bare = partial(served, "bare")


if __name__ == "__main__":
    main()
