"""Exports are whole and safe for a spreadsheet, and no tenant keeps out another; test_pages.py has those of lists."""

import csv
import http.client
import io
import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from flask.testing import FlaskClient

from api.database.errors import NO_TEMPORARY_FILE
from api.database.snapshot import Snapshot
from api.database.statement import BoundStatement, CompiledStatement, compile_statement
from api.limits import exports
from api.limits.exports import RESERVED_SECONDS, BrokenExportError, Exports
from api.plan.exports import CSV_COLUMNS
from projector.database.rows import Connection
from tests.exactness.platform import refresh_now
from tests.support.patience import PATIENCE
from tests.support.running import wait_for, wait_until, write_conversations, write_source
from tests.support.server import Database
from tests.unit.api.conftest import NOW, Library, MakeApp
from tests.unit.api.response.test_errors import check
from tests.unit.api.serving import Served, served

SIGNS = ("=", "+", "-", "@", "\t=", "\n=", "\r=", '="', "\uff1d", "\uff0b", "\uff0d", "\uff20")
FORMULAS = tuple(f"{sign}1" for sign in SIGNS)
HARMLESS = ("1=1", "'=1", 'a "quoted" name', "a, b", "two\r\nlines", "ä=1", "")


def lines(client: FlaskClient, path: str) -> list[dict[str, Any]]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.data
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert answer.data == b"" or answer.data.endswith(b"\n")
    objects = [json.loads(line) for line in answer.data.split(b"\n")[:-1]]
    assert answer.headers["X-Total-Count"] == str(len(objects))
    return objects


def table(client: FlaskClient, path: str) -> list[dict[str, str]]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.data
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert answer.data.startswith(",".join(CSV_COLUMNS).encode() + b"\r\n")
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8"), newline="")))
    assert answer.headers["X-Total-Count"] == str(len(rows))
    return rows


def test_messages(client: FlaskClient, library: Library) -> None:
    expected = [
        {"customer_phone": lead.customer_phone, **message.document()}
        for lead in sorted(
            library.model.of_tenant(library.tenant).values(), key=lambda lead: lead.customer_phone.encode()
        )
        for message in lead.messages
    ]
    assert len(expected) > 50
    path = f"/users/{library.tenant}/messages.ndjson"
    assert lines(client, path) == expected
    times = sorted({str(message["timestamp"]) for message in expected if str(message["timestamp"]) > "1971"})
    start, end = times[len(times) // 3], times[len(times) * 2 // 3]
    within = [message for message in expected if start <= str(message["timestamp"]) <= end]
    assert 0 < len(within) < len(expected)
    assert lines(client, f"{path}?from_date={start}&to_date={end}") == within


def test_texts_that_a_spreadsheet_would_run_and_a_table_for_excel(
    database: Database, make_app: MakeApp
) -> None:
    """For Excel: a byte order mark, times that it reads, and formulas only of digits that a number would lose."""
    lost = {"17841473561175244", "007", " 1234567890123456 "}
    kept = {"123456789012345", "0", "0.5", "x 1234567890123456", '="1234567890123456"', *FORMULAS, *HARMLESS}
    with database.connect() as conn:
        write_source(conn)
        for number, text in enumerate(sorted(lost | kept)):
            conn.execute(
                "INSERT INTO conversations (conversation_id, agent_id, customer_phone) VALUES (%s, 'a-u', %s)",
                (f"x{number}", text.strip() if text in lost else f"@web-{number}"),
            )
            conn.execute(
                "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp)"
                " VALUES (%s, %s, 'user', %s, '2025-12-12 09:07:38.656')",
                (f"m{number}", f"x{number}", text),
            )
        refresh_now(conn)
    client = make_app(database).test_client()
    answer = client.get("/users/u/leads.csv?for=excel")
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert answer.data.startswith(b"\xef\xbb\xbfcustomer_phone,")
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))
    assert {row["last_message_text"] for row in rows if row["last_message_text"].startswith("=")} == {
        f'="{text}"' for text in lost
    }
    assert {row["last_message_at"] for row in rows} == {"", "2025-12-12 09:07:38"}
    everybodys = table(client, "/users/u/leads.csv")
    texts = {row["last_message_text"] for row in everybodys}
    assert {*(f"'{text}" for text in FORMULAS), *HARMLESS} <= texts
    # The phone too; what looks like one is stored as digits.
    assert any(row["customer_phone"].startswith("'@web-") for row in everybodys)
    # All else is the same.
    for row, plain in zip(rows, everybodys, strict=True):
        for name, cell in row.items():
            inner = cell[2:-1] if cell.startswith("=") else cell
            assert (
                plain[name].replace("T", " ").startswith(inner)
                if name.endswith("_at")
                else plain[name] == re.sub(r"(?<=[\t\r\n])'", "", inner)
            )


LETTERS = ("=", "-", "@", "\uff0b", ";", "\t", "\r\n", "\v", '"', ",", " ", "\xa0", "\u200b", "'", "1", "a")
FORMULA = re.compile(r"""[\s"\u200b]*[=+\-@\uff0b]""")
DIGITS = re.compile(r"""(?:="\d{16,}"|"=""\d{16,}\"{3})(?:$|,)""")


def test_no_text_begins_a_formula_where_lines_are_divided_at_semicolons_or_tabs(
    connection: Connection,
) -> None:
    rng = random.Random(11)
    texts = ["Anna;=HYPERLINK(A1);", "Hello\r\n=1+1;+2+2;", ';"=1"', "12345678901234567"]
    texts += ("".join(rng.choices(LETTERS, k=rng.randint(0, 9))) for _ in range(3_000))
    documents = [json.dumps({"customer_phone": phone, "name": name}) for phone, name in pairwise(texts)]
    lines = connection.execute(
        "SELECT c.line FROM unnest(%s::text []) AS d (document), read_model.csv_line(d.document, true) AS c",
        [documents],
    ).fetchall()
    body = "".join(line for (line,) in lines)
    # A spreadsheet may understand quotation marks in another way: the first reading knows none.
    readings = [[re.split(r"[;\t\r\n\v]", body)]]
    readings += ([*csv.reader(io.StringIO(body, newline=""), delimiter=sign)] for sign in ",;\t")
    for rows in readings:
        cells = [*chain.from_iterable(rows)]
        assert len(cells) > len(texts)
        assert [cell for cell in cells if FORMULA.match(cell) and not DIGITS.match(cell)] == []


def test_headers(client: FlaskClient, library: Library) -> None:
    for path, kind, name in (
        ("leads.csv", "text/csv; charset=utf-8", "leads"),
        ("leads.ndjson", "application/x-ndjson", "leads"),
        ("messages.ndjson", "application/x-ndjson", "messages"),
    ):
        asked = f"/users/{library.tenant}/{path}"
        whole = client.get(asked, headers={"Accept-Encoding": "gzip"}, buffered=True)
        assert whole.content_type == kind
        assert whole.headers["X-Data-As-Of"].endswith("Z")
        ending = path.partition(".")[2]
        assert whole.headers["Content-Disposition"].startswith(f'attachment; filename="{name}-20')
        assert whole.headers["Content-Disposition"].endswith(f'Z.{ending}"')
        assert "Content-Encoding" not in whole.headers
        head = client.head(asked, buffered=True)
        assert (head.status_code, head.data) == (200, b"")
        for header in ("Content-Length", "X-Total-Count"):
            assert head.headers[header] == whole.headers[header]


def test_a_table_for_which_the_database_may_write_no_file(database: Database, make_app: MakeApp) -> None:
    """No answer has begun when PostgreSQL finds out."""
    with database.connect() as conn:
        write_source(conn)
        write_conversations(conn, 4, first=2)
        conn.execute(
            "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp)"
            " SELECT 'long-' || conversation_id, conversation_id, 'user', repeat(md5(conversation_id), 1800),"
            " now() AT TIME ZONE 'UTC' FROM conversations"
        )
        refresh_now(conn)
        for setting in ("temp_file_limit = 0", "work_mem = '64kB'"):
            conn.execute(f'ALTER DATABASE "{database.name}" SET {setting}'.encode())
    client = make_app(database).test_client()
    # PostgreSQL keeps the lines of the one, and sorts those of the other.
    for path in ("leads.csv", "leads.ndjson?sort_by=name"):
        answer = client.get(f"/users/u/{path}")
        check(answer, 503)
        assert answer.get_json()["message"] == NO_TEMPORARY_FILE


def test_a_place_is_given_back_whatever_happens(library: Library, make_app: MakeApp) -> None:
    """One place only: each request here would be refused if the one before had kept it."""
    client = make_app(library.database).test_client()
    path = f"/users/{library.tenant}/leads.ndjson"
    future = (NOW + timedelta(days=36500)).isoformat().replace("+00:00", "Z")
    for _ in range(2):
        assert len(client.get(path).data) > 0
        assert client.head(path, buffered=True).status_code == 200
        check(client.get(f"{path}?min_as_of={future}"), 400)
        with patch.object(Snapshot, "open", side_effect=RuntimeError("broken")):
            check(client.get(path), 500)
        with patch.object(Snapshot, "__init__", side_effect=RuntimeError("broken")):
            check(client.get(path), 500)
        client.get(path, buffered=False).close()
        # What breaks is no shorter file.
        pieces = [[b"{}\n"], psycopg.OperationalError("gone")]
        for breaks in (
            patch.object(Snapshot, "read", side_effect=pieces),
            patch.object(exports, "LONGEST_SECONDS", 0),
        ):
            with breaks, pytest.raises(BrokenExportError):
                client.get(path, buffered=True)
    assert lines(client, path)


def test_beyond_the_places_it_is_refused(library: Library, make_app: MakeApp) -> None:
    client, path = make_app(library.database).test_client(), f"/users/{library.tenant}/leads.ndjson"
    first = client.get(path)
    refused = client.get(path)
    check(refused, 429, "exports_busy")
    assert int(refused.headers["Retry-After"]) > 0
    # Whoever reads is not kept from reading, and another tenant has its export.
    assert client.get(library.base).status_code == 200
    assert client.get("/users/another/leads.csv").status_code == 200
    assert len(first.data) > 0
    first.close()
    assert len(client.get(path).data) > 0


def test_an_export_is_one_statement_which_makes_each_line_of_a_table_once(
    client: FlaskClient, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its count and its lines are of one moment, and its length comes from the line that is sent."""
    statements: list[CompiledStatement[Any]] = []

    def noted(bound: BoundStatement[Any]) -> CompiledStatement[Any]:
        statements.append(compile_statement(bound))
        return statements[-1]

    monkeypatch.setattr("api.database.snapshot.compile_statement", noted)
    for number, name in enumerate(("leads.csv", "leads.ndjson", "messages.ndjson"), start=1):
        assert client.get(f"/users/{library.tenant}/{name}").data
        assert len(statements) == number
    assert statements[0].text.count(b"document") == 1


# The third reading of lines of each export fails; once there is a file `endless`, there are lines without an end.
PATCHES = """
import api.database.snapshot, api.limits.exports, pathlib
api.limits.exports.UNREAD_SECONDS = api.database.snapshot.IDLE_SECONDS = 1
is_endless = pathlib.Path("endless").exists
read, begin = api.database.snapshot.Snapshot.read, api.database.snapshot.Snapshot.open
def read_less(self, count):
    if is_endless():
        return [b"x" * 9999 + b"\\n"] * count
    self.reads = getattr(self, "reads", 0) + 1
    if self.reads == 3:
        raise RuntimeError("broken on purpose")
    return read(self, 5)
def begin_more(self, bound):
    begun = begin(self, bound)
    begun.size = 10**12 if is_endless() else begun.size
    return begun
api.database.snapshot.Snapshot.read, api.database.snapshot.Snapshot.open = read_less, begin_more
"""
EXPORTS = (
    "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'leads-api'"
    " AND query LIKE '%lines%')"
)


def path_of(library: Library) -> str:
    return f"/users/{library.tenant}/leads.ndjson"


@contextmanager
def begin(server: Served, path: str) -> Iterator[http.client.HTTPResponse]:
    """An answer of which nothing was read yet; its connection is closed afterwards."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    try:
        yield answer
    finally:
        answer.close()
        connection.close()


def status_of(server: Served, path: str) -> int:
    """The status of an answer whose caller goes away."""
    with begin(server, path) as answer:
        return answer.status


def test_an_export_that_breaks_or_is_not_read_ends_and_holds_no_connection_to_the_database(
    library: Library, tmp_path: Path
) -> None:
    with library.database.connect() as conn, served(library.database, tmp_path, PATCHES) as server:
        for name in ("leads.ndjson", "leads.csv", "messages.ndjson"):
            # On a busy machine it can end before its first bytes are sent, which is no whole answer either.
            with (
                pytest.raises((http.client.IncompleteRead, ConnectionError)),
                begin(server, f"/users/{library.tenant}/{name}") as answer,
            ):
                answer.read()
            server.wait_for_line("an export was broken off")
        # A caller stops reading.
        (tmp_path / "endless").touch()
        with begin(server, path_of(library)) as answer:
            assert answer.status == 200
            wait_until(conn, f"{EXPORTS} = 0")
            # It still has its place: whoever reads is answered, and a further export is refused.
            assert server.get(library.base)[0] == 200
            assert server.get(path_of(library))[0] == 429
        # It has gone away, which gives back its place too.
        server.wait_for_line("its caller has taken nothing")
        wait_for(lambda: status_of(server, path_of(library)) == 200, "a place is free")
        wait_until(conn, f"{EXPORTS} = 0")
        assert status_of(server, path_of(library)) == 200


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(exports, "monotonic", lambda: clock.now)
    monkeypatch.setattr(exports, "TAKE_SECONDS", 0)
    return clock


def test_whoever_was_refused_goes_before_the_tenant_that_had_the_place(clock: SimpleNamespace) -> None:
    places = Exports(1)
    assert places.take("a")
    # That "a" asks for more while it has a place gives it no turn.
    assert not places.take("a")
    for turn in range(5):
        clock.now += RESERVED_SECONDS - 1
        assert not places.take("b"), turn
        places.give_back("a")
        assert not places.take("a")
        assert places.take("b")
        clock.now += RESERVED_SECONDS - 1
        assert not places.take("a")
        places.give_back("b")
        assert not places.take("b")
        assert places.take("a")
    assert not places.take("b")
    places.give_back("a")
    # It does not come back, and the place is free for everybody.
    assert not places.take("a")
    clock.now += RESERVED_SECONDS
    assert places.take("a")
    places.give_back("a")
    assert (places._taken, places._refused) == ({}, {})  # noqa: SLF001
