"""Servers to compare with, which print what the API prints by the plainest statements.

`python -m tests.benchmarks.plain limited` is the API itself with plain routes added, behind its limiter and with its
headers: an empty endpoint, the same after a bare statement, a lead and a page. `flask` is plain Flask with a pool of
psycopg's, on the server of the API. `asyncpg` is uvicorn with uvloop and httptools, and no framework. The last two have
no limiter, no headers, no row security, and check nothing; their timestamp and correlation id are always the same.
"""

import gc
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import UTC, datetime
from functools import partial
from threading import local
from typing import Any

import asyncpg
import psycopg
import uvicorn
from flask import Flask, Response
from granian import Granian
from granian.constants import Interfaces
from psycopg_pool import ConnectionPool

from api import config
from api.plan.lead import LeadRow
from api.request.record import record
from api.response import conditional
from api.response.body import note_freshness
from api.server.app import create_app

_DOCUMENT = "SELECT document FROM read_model.leads AS l WHERE user_id = %s"
_NEWEST = " ORDER BY last_message_at DESC NULLS LAST, customer_phone DESC LIMIT 50"
_BY_PROFILE = (
    "SELECT (SELECT document FROM read_model.leads AS l WHERE (l.user_id, l.customer_phone) ="
    " (p.user_id, p.customer_phone)) FROM read_model.lead_profiles AS p WHERE p.user_id = %s"
)
TOTAL = "SELECT sum(leads)::bigint FROM read_model.lead_counts WHERE user_id = %s"
# The plainest statement for the rows of a read, by the name of the read.
BARE = {
    "nothing": "SELECT 1",
    "single": f"{_DOCUMENT} AND customer_phone = %s",
    "list": _DOCUMENT + _NEWEST,
    "name": f"{_BY_PROFILE} AND name_key IS NOT NULL ORDER BY name_key, customer_phone LIMIT 50",
    "score": f"{_BY_PROFILE} AND total_score IS NOT NULL ORDER BY total_score DESC, customer_phone DESC LIMIT 50",
    "hot": f"{_DOCUMENT} AND lead_status = 'Hot'{_NEWEST}",
    "platforms": f"{_DOCUMENT} AND (on_instagram OR on_webchat){_NEWEST}",
    "email": f"{_DOCUMENT} AND has_email AND last_message_at >= now() - interval '30 days'{_NEWEST}",
    "messages": (
        "SELECT m.message_id, m.conversation_id, c.agent_id, c.agent_name, c.platform, c.phone_number_id, m.sender,"
        " m.text, m.sent_at, m.status, m.sequence_no FROM read_model.lead_messages AS m"
        " JOIN read_model.lead_conversations AS c USING (user_id, customer_phone, conversation_id)"
        " WHERE m.user_id = %s AND m.customer_phone = %s"
        " ORDER BY m.sent_at, m.conversation_id, m.sequence_no, m.message_id LIMIT 50"
    ),
}
# As asyncpg numbers the parameters.
_SINGLE, _LIST, _TOTAL = (
    query.replace("%s", "$1", 1).replace("%s", "$2", 1) for query in (BARE["single"], BARE["list"], TOTAL)
)
_END = b'"timestamp":"2026-01-01T00:00:00.000Z","correlationId":"1767225600000-abcdefghi"}'
_PAGE = 50
_AS_OF = datetime.now(UTC)

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Ask = Callable[[str, tuple[str, ...]], list[Any]]


def ask(connection: psycopg.Connection[Any], query: str, values: tuple[str, ...]) -> list[Any]:
    """Return the rows of a query that takes the first of these values."""
    return connection.execute(query.encode(), values[: query.count("%s")], prepare=True).fetchall()


def _body(data: bytes, pagination: bytes | None) -> bytes:
    paged = b"" if pagination is None else b'"pagination":' + pagination + b","
    return b'{"success":true,"data":' + data + b"," + paged + _END


def _page(documents: Iterable[str], total: int | None) -> tuple[bytes, bytes]:
    total = total or 0
    more = "true" if total > _PAGE else "false"
    pages = f'{{"total":{total},"limit":{_PAGE},"offset":0,"hasMore":{more}}}'.encode()
    return f"[{','.join(documents)}]".encode(), pages


def _add_routes(
    app: Flask, asked: Ask, answer: Callable[[bytes, bytes | None], Response], prefix: str
) -> None:
    def empty(user_id: str) -> Response:  # noqa: ARG001  # As every endpoint has it.
        return answer(b"{}", None)

    def bare(user_id: str, name: str, customer_phone: str) -> Response:
        asked(BARE[name], (user_id, customer_phone))
        return answer(b"{}", None)

    def single(user_id: str, customer_phone: str) -> Response:
        [(document,)] = asked(BARE["single"], (user_id, customer_phone))
        return answer(document.encode(), None)

    def page(user_id: str) -> Response:
        documents = [document for (document,) in asked(BARE["list"], (user_id,))]
        [(total,)] = asked(TOTAL, (user_id,))
        return answer(*_page(documents, total))

    for path, view in (
        ("/plain/<user_id>/empty", empty),
        ("/plain/<user_id>/bare/<name>/<customer_phone>", bare),
        ("/plain/<user_id>/single/<customer_phone>", single),
        ("/plain/<user_id>/list", page),
    ):
        app.add_url_rule(path, endpoint=f"{prefix}plain_{view.__name__}", view_func=view)
    gc.collect()
    gc.freeze()


def limited() -> Flask:
    """Return the API with plain routes, for which it does what it does for its own."""
    settings = config.load()
    app = create_app(settings)
    thread = local()

    def asked(query: str, values: tuple[str, ...]) -> list[Any]:
        if not hasattr(thread, "connection"):
            thread.connection = psycopg.connect(settings.database_url, autocommit=True)
        return ask(thread.connection, query, values)

    def answer(data: bytes, pagination: bytes | None) -> Response:
        note_freshness(record(), LeadRow(_AS_OF, 0, b"1", None, None, None))
        return conditional.answer(data, pagination)

    _add_routes(app, asked, answer, "leads.")
    return app


def flask() -> Flask:
    """Return plain routes, each of which takes a connection of the pool."""
    settings = config.load()
    pool = ConnectionPool(
        settings.database_url, min_size=1, max_size=settings.threads, kwargs={"autocommit": True}, open=True
    )

    def asked(query: str, values: tuple[str, ...]) -> list[Any]:
        with pool.connection() as connection:
            return ask(connection, query, values)

    app = Flask("plain", static_folder=None)
    _add_routes(app, asked, lambda data, pages: Response(_body(data, pages), mimetype="application/json"), "")
    return app


def asynchronous() -> Callable[[Scope, object, Send], Awaitable[None]]:
    """Return the same by ASGI, with no framework at all."""
    settings = config.load()
    pool: asyncpg.Pool | None = None

    async def answer(scope: Scope, _receive: object, send: Send) -> None:
        """Answer a request. The first one, which asks whether the server is there, opens the pool."""
        nonlocal pool
        if pool is None:
            pool = await asyncpg.create_pool(settings.database_url, min_size=1, max_size=settings.threads)
        _, _, user_id, kind, *phone = scope["path"].split("/")
        async with pool.acquire() as connection:
            if kind == "single":
                body = _body((await connection.fetchval(_SINGLE, user_id, *phone)).encode(), None)
            else:
                documents = [row[0] for row in await connection.fetch(_LIST, user_id)]
                body = _body(*_page(documents, await connection.fetchval(_TOTAL, user_id)))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def main(kind: str) -> None:
    settings = config.load()
    if kind == "asyncpg":
        run = partial(uvicorn.run, asynchronous(), loop="uvloop", http="httptools", access_log=False)
        run(host=settings.host, port=settings.port, log_level="error", lifespan="off")
        return
    Granian(
        f"tests.benchmarks.plain:{kind}",
        factory=True,
        interface=Interfaces.WSGI,
        address=settings.host,
        port=settings.port,
        workers=settings.workers,
        blocking_threads=settings.threads,
        websockets=False,
    ).serve()


if __name__ == "__main__":
    main(sys.argv[1])
