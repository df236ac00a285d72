"""Exports have what the list and the messages have, whole, and safe for a spreadsheet."""

import csv
import io
import json
from datetime import timedelta
from itertools import count
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from flask.testing import FlaskClient

from api.database.errors import NO_TEMPORARY_FILE
from api.database.snapshot import Snapshot
from api.limits.exports import BrokenExportError
from api.plan.exports import CSV_COLUMNS
from projector.core.refresh import refresh
from projector.report.progress import QUIET
from tests.oracle import answers
from tests.oracle.parameters import Pairs
from tests.support import queries
from tests.support.running import write_conversations, write_message, write_source
from tests.support.server import Database
from tests.unit.api.conftest import NOW, Library, MakeApp
from tests.unit.api.response.test_errors import check

ORDERS = [
    f"sort_by={key}&sort_order={order}"
    for key in ("last_message_at", "first_contact_at", "total_messages", "total_score", "name")
    for order in ("asc", "desc")
]
FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@sum",
    "\t=1",
    "\n=1",
    "\r=1",
    '="x"',
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff20a",
)
HARMLESS = ("1=1", "'=1", 'a "quoted" name', "a, b", "two\r\nlines", "ä=1", "")


def all_of(library: Library, user_id: str, params: Pairs) -> list[dict[str, Any]]:
    """All leads of the oracle's list, page by page."""
    found: list[dict[str, Any]] = []
    for offset in count(step=100):
        paged = [*params, ("limit", "100"), ("offset", str(offset))]
        page = answers.list_leads(library.model, user_id, paged, NOW).body["data"]
        found += page
        if len(page) < 100:
            return found
    raise AssertionError


def lines(client: FlaskClient, path: str) -> list[dict[str, Any]]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.data
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert answer.data == b"" or answer.data.endswith(b"\n")
    found = [json.loads(line) for line in answer.data.split(b"\n")[:-1]]
    assert answer.headers["X-Total-Count"] == str(len(found))
    return found


def table(client: FlaskClient, path: str) -> list[dict[str, str]]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.data
    assert answer.headers["Content-Length"] == str(len(answer.data))
    found = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8"), newline="")))
    assert answer.headers["X-Total-Count"] == str(len(found))
    return found


def as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


def as_row(document: dict[str, Any]) -> dict[str, str]:
    row = {name: as_text(document[name]) for name in CSV_COLUMNS}
    return {
        name: f"'{text}"
        if text.startswith(("=", "+", "-", "@", "\t", "\r"))
        and name != "customer_phone"
        and isinstance(document[name], str)
        else text
        for name, text in row.items()
    }


def test_the_columns_are_those_of_a_printed_lead(library: Library) -> None:
    document = next(iter(library.model.of_tenant(library.tenant).values())).document()
    assert [*CSV_COLUMNS, "conversations"] == list(document)


@pytest.mark.parametrize("order", ORDERS)
def test_leads_in_each_order(client: FlaskClient, library: Library, order: str) -> None:
    params = [tuple(pair.split("=")) for pair in order.split("&")]
    expected = all_of(library, library.tenant, params)  # type: ignore[arg-type]
    assert len(expected) > 30
    base = f"/users/{library.tenant}"
    assert lines(client, f"{base}/leads.ndjson?{order}") == expected
    assert table(client, f"{base}/leads.csv?{order}") == [as_row(document) for document in expected]


def queries_of(library: Library, user_id: str) -> list[Pairs]:
    """Each filter, and some together, with values that the tenant's leads have."""
    leads = list(library.model.of_tenant(user_id).values())
    names = [lead.name.split()[0] for lead in leads if lead.name][:5]
    phones = [lead.customer_phone for lead in leads][:3]
    single: list[tuple[str, str]] = [
        ("platform", "whatsapp"), ("platform", "instagram,webchat"), ("lead_status", "Hot"),
        ("lead_status", "warm,cold"), ("has_extraction", "true"), ("has_extraction", "false"),
        ("has_email", "true"), ("has_email", "false"), ("min_total_score", "9"), ("max_total_score", "9"),
        ("days", "30"), ("days", "3000"), ("from_date", "2025-06-01"), ("to_date", "2026-01-01T10:00:00.5Z"),
        *(("search", name) for name in names), *(("search", phone[-4:]) for phone in phones),
        *(("customer_phone", phone) for phone in phones), ("search", "\\"), ("search", "%"), ("search", "a"),
    ]  # fmt: skip
    together: list[Pairs] = [
        [("has_email", "true"), ("search", "a"), ("sort_by", "name")],
        [("platform", "whatsapp"), ("search", "a"), ("sort_by", "total_score"), ("sort_order", "asc")],
        [("from_date", "2024-01-01"), ("has_extraction", "true"), ("sort_order", "asc")],
    ]
    return [*([pair] for pair in single), *together]


def test_leads_that_match(client: FlaskClient, library: Library) -> None:
    matched = 0
    for user_id in (*library.model.leads, "nobody"):
        base = queries.path(user_id).removesuffix("/leads")
        for params in queries_of(library, user_id):
            found = lines(client, f"{base}/leads.ndjson?{queries.query_string(params)}")
            assert found == all_of(library, user_id, params), (user_id, params)
            matched += bool(found)
    assert matched > 30


def test_messages(client: FlaskClient, library: Library) -> None:
    expected = [
        {"customer_phone": lead.customer_phone, **message.document()}
        for lead in sorted(
            library.model.of_tenant(library.tenant).values(), key=lambda one: one.customer_phone.encode()
        )
        for message in lead.messages
    ]
    assert len(expected) > 50
    path = f"/users/{library.tenant}/messages.ndjson"
    assert lines(client, path) == expected
    times = sorted({str(one["timestamp"]) for one in expected if str(one["timestamp"]) > "1971"})
    start, end = times[len(times) // 3], times[len(times) * 2 // 3]
    within = [one for one in expected if start <= str(one["timestamp"]) <= end]
    assert 0 < len(within) < len(expected)
    assert lines(client, f"{path}?from_date={start}&to_date={end}") == within


def test_texts_that_a_spreadsheet_would_run(database: Database, make_app: MakeApp) -> None:
    with database.connect() as conn:
        write_source(conn)
        for number, name in enumerate((*FORMULAS, *HARMLESS), 1):
            conn.execute(
                "INSERT INTO conversations (conversation_id, agent_id, customer_phone) VALUES (%s, 'a-u', %s)",
                (f"x{number}", f"+{number}"),
            )
            conn.execute(
                "INSERT INTO messages (message_id, conversation_id, sender, text) VALUES (%s, %s, 'user', %s)",
                (f"m{number}", f"x{number}", name),
            )
        conn.execute(
            "INSERT INTO conversations (conversation_id, agent_id, customer_phone) VALUES ('web', 'a-u', '@web-1')"
        )
        refresh(conn, retry_failed=False, progress=QUIET)
    found = table(make_app(database).test_client(), "/users/u/leads.csv")
    texts = {row["customer_phone"]: row["last_message_text"] for row in found}
    for number, name in enumerate(FORMULAS, 1):
        assert texts[str(number)] == f"'{name}"
    for number, name in enumerate(HARMLESS, len(FORMULAS) + 1):
        assert texts[str(number)] == name
    # The phone too; what looks like one is stored as digits.
    assert "'@web-1" in texts


def test_headers(client: FlaskClient, library: Library) -> None:
    for path, kind, name in (
        ("leads.csv", "text/csv; charset=utf-8", "leads"),
        ("leads.ndjson", "application/x-ndjson", "leads"),
        ("messages.ndjson", "application/x-ndjson", "messages"),
    ):
        asked = f"/users/{library.tenant}/{path}"
        whole = client.get(asked, headers={"Accept-Encoding": "gzip"})
        size = str(len(whole.data))
        assert whole.content_type == kind
        assert whole.headers["X-Data-As-Of"].endswith("Z")
        ending = path.partition(".")[2]
        assert whole.headers["Content-Disposition"].startswith(f'attachment; filename="{name}-20')
        assert whole.headers["Content-Disposition"].endswith(f'Z.{ending}"')
        assert "Content-Encoding" not in whole.headers
        head = client.head(asked, buffered=True)
        assert (head.status_code, head.data) == (200, b"")
        assert head.headers["Content-Length"] == size
        assert head.headers["X-Total-Count"] == whole.headers["X-Total-Count"]


def test_an_unknown_tenant_has_an_empty_export(client: FlaskClient) -> None:
    assert lines(client, "/users/nobody/leads.ndjson") == []
    assert client.get("/users/nobody/leads.csv").data == ",".join(CSV_COLUMNS).encode() + b"\r\n"


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
        refresh(conn, retry_failed=False, progress=QUIET)
        for setting in ("temp_file_limit = 0", "work_mem = '64kB'"):
            conn.execute(f'ALTER DATABASE "{database.name}" SET {setting}'.encode())
    client = make_app(database).test_client()
    answer = client.get("/users/u/leads.csv")
    check(answer, 503)
    assert answer.get_json()["message"] == NO_TEMPORARY_FILE


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("leads.csv?limit=5", "'limit'"),
        ("leads.ndjson?offset=5", "'offset'"),
        ("messages.ndjson?sender=user", "'sender'"),
    ],
)
def test_what_an_export_does_not_take(client: FlaskClient, query: str, named: str) -> None:
    answer = client.get(f"/users/u/{query}")
    check(answer, 400)
    assert named in answer.get_json()["message"]


def test_a_place_is_given_back_whatever_happens(library: Library, make_app: MakeApp) -> None:
    """One place only: each request here would be refused if the one before had kept it."""
    client = make_app(library.database).test_client()
    path = f"/users/{library.tenant}/leads.ndjson"
    future = (NOW + timedelta(days=36500)).isoformat().replace("+00:00", "Z")
    for _ in range(2):
        assert len(client.get(path).data) > 0
        assert client.head(path, buffered=True).status_code == 200
        check(client.get(f"{path}?min_as_of={future}"), 503)
        with patch.object(Snapshot, "open", side_effect=RuntimeError("broken")):
            check(client.get(path), 500)
        with patch.object(Snapshot, "__init__", side_effect=RuntimeError("broken")):
            check(client.get(path), 500)
        client.get(path, buffered=False).close()
    assert lines(client, path)


def test_beyond_the_places_it_is_refused(library: Library, make_app: MakeApp) -> None:
    app = make_app(library.database, exports=2)
    client, path = app.test_client(), f"/users/{library.tenant}/leads.ndjson"
    first, second = client.get(path), client.get(path)
    refused = client.get(path)
    check(refused, 429)
    assert int(refused.headers["Retry-After"]) > 0
    assert "LEADS_EXPORTS" in refused.get_json()["message"]
    # Whoever reads is not kept from reading.
    assert client.get(library.base).status_code == 200
    first.close()
    assert len(second.data) > 0
    second.close()


def test_an_export_counts_against_the_rate_limit(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, rate_limit="2 per minute").test_client()
    path = f"/users/{library.tenant}/leads.ndjson"
    assert [client.get(path, buffered=True).status_code for _ in range(3)] == [200, 200, 429]


def test_an_export_that_breaks_is_no_shorter_file(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database).test_client()
    path = f"/users/{library.tenant}/leads.ndjson"
    answers = [[b"{}\n"], psycopg.OperationalError("gone")]
    with patch.object(Snapshot, "read", side_effect=answers), pytest.raises(BrokenExportError):
        client.get(path, buffered=True)
    assert lines(client, path)


def test_a_read_model_that_was_never_built(
    connection: psycopg.Connection[Any], database: Database, make_app: MakeApp
) -> None:
    connection.execute("UPDATE read_model.projection SET built_at = NULL")
    client = make_app(database).test_client()
    check(client.get("/users/u/leads.csv"), 503)


def test_an_export_sees_one_moment(database: Database, make_app: MakeApp) -> None:
    with database.connect() as conn:
        write_source(conn)
        refresh(conn, retry_failed=False, progress=QUIET)
        answer = make_app(database).test_client().get("/users/u/leads.ndjson")
        write_message(conn, "later")
        refresh(conn, retry_failed=False, progress=QUIET)
    [lead] = [json.loads(line) for line in answer.data.splitlines()]
    assert lead["total_messages"] == 0
