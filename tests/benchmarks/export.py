"""Exports by HTTP against COPY of the same text, both read to the end by a caller that does nothing with it."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial

from psycopg import sql

from projector.database.rows import Connection
from tests.benchmarks import servers
from tests.benchmarks.core import Row, seconds
from tests.benchmarks.fixtures import Bench
from tests.benchmarks.servers import Server

_PIECE = 1 << 20
_DOCUMENTS = """
COPY (
    SELECT document FROM read_model.leads WHERE user_id = {tenant}
    ORDER BY last_message_at DESC NULLS LAST, customer_phone DESC
) TO STDOUT
"""
# The same columns; COPY quotes only what needs it.
_COLUMNS = """
COPY (
    SELECT r.* FROM read_model.leads AS l, json_to_record(l.document::json) AS r({columns})
    WHERE l.user_id = {tenant} ORDER BY l.last_message_at DESC NULLS LAST, l.customer_phone DESC
) TO STDOUT (FORMAT csv, HEADER)
"""
_MESSAGES = """
COPY (
    SELECT to_json(m) FROM read_model.lead_messages AS m
    LEFT JOIN read_model.lead_conversations AS c USING (user_id, customer_phone, conversation_id)
    WHERE user_id = {tenant} ORDER BY customer_phone, sent_at, conversation_id, sequence_no, message_id
) TO STDOUT
"""


def measure(bench: Bench) -> Iterator[Row]:
    user_id = bench.main.tenants["big"]
    leads = f"{bench.size.big:,} leads"
    with servers.api(bench, bench.main) as api, bench.main.connect() as conn:
        header = _read(api, f"/users/{user_id}/leads.csv").decode().partition("\n")[0].strip()
        columns = [sql.SQL("{} text").format(sql.Identifier(name)) for name in header.split(",")]
        for what, file, copy, goal in (
            (f"{leads} as ndjson", "leads.ndjson", _DOCUMENTS, "export"),
            (f"{leads} as CSV", "leads.csv", _COLUMNS, "export"),
            (f"messages of {leads} as ndjson", "messages.ndjson", _MESSAGES, ""),
        ):
            statement = sql.SQL(copy).format(tenant=user_id, columns=sql.SQL(", ").join(columns))
            yield bench.compare(
                f"export of {what}",
                "s",
                partial(seconds, partial(_read, api, f"/users/{user_id}/{file}")),
                "COPY TO STDOUT of the same",
                partial(seconds, partial(_copy, conn, statement)),
                goal,
                rounds=bench.size.many_rounds,
            )


def _read(server: Server, path: str) -> bytes:
    """Read an export to its end, and return its beginning. Raises IncompleteRead if it breaks off."""
    with closing(server.connection()) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {answer.read()!r}")
        first = piece = answer.read(_PIECE)
        while piece:
            piece = answer.read(_PIECE)
        return first


def _copy(conn: Connection, statement: sql.Composed) -> None:
    with conn.cursor().copy(statement) as copy:
        for _ in copy:
            pass
