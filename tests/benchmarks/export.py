"""Exports by HTTP against COPY of the same text, both read to the end by a caller that does nothing with it."""

from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

from psycopg import sql

from api.plan import csv_lines
from tests.benchmarks import servers
from tests.benchmarks.core import Row, goal, interleave, seconds
from tests.benchmarks.fixtures import Connection, Fixtures
from tests.benchmarks.servers import Server

AREA = "Export"
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


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    user_id = fixtures.main.tenants["big"]
    columns = sql.SQL(", ").join(
        sql.SQL("{} text").format(sql.Identifier(name))
        for name in csv_lines.HEADER.decode().strip().split(",")
    )
    leads = f"{fixtures.size.big:,} leads"
    with servers.api(fixtures.main) as api, fixtures.main.connect() as conn:
        for what, file, copy in (
            (f"{leads} as ndjson", "leads.ndjson", _DOCUMENTS),
            (f"{leads} as CSV", "leads.csv", _COLUMNS),
            (f"messages of {leads} as ndjson", "messages.ndjson", _MESSAGES),
        ):
            statement = sql.SQL(copy).format(tenant=sql.Literal(user_id), columns=columns)
            found = interleave(
                max(fixtures.size.rounds, 7) if fixtures.size.rounds > 1 else 1,
                {
                    "ours": lambda: seconds(lambda: _download(api, f"/users/{user_id}/{file}")),  # noqa: B023
                    "copy": lambda: seconds(lambda: _copy(conn, statement)),  # noqa: B023
                },
            )
            wanted = goal("export") if file == "leads.ndjson" else None
            yield Row(
                AREA,
                f"export of {what}",
                "s",
                found["ours"],
                "COPY TO STDOUT of the same",
                found["copy"],
                wanted,
            )


def _download(server: Server, path: str) -> None:
    """Read an export to its end. Raises IncompleteRead if it breaks off."""
    parts = urlsplit(server.url)
    connection = HTTPConnection(parts.hostname or "", parts.port)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {answer.read()!r}")
        length = int(answer.headers["Content-Length"])
        while piece := answer.read(_PIECE):
            length -= len(piece)
        if length:
            raise RuntimeError(f"{path} broke off: {length} bytes are missing.")
    finally:
        connection.close()


def _copy(conn: Connection, statement: sql.Composed) -> None:
    with conn.cursor().copy(statement) as copy:
        for _ in copy:
            pass
