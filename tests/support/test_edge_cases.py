"""Random rows, changes and parameters, and the comparison with the oracle, are able to make tests fail.

Random rows and requests compare the oracle itself with the product, which proves both.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given, settings

from projector.database.rows import Connection
from tests.oracle import Model, list_leads, read_model, read_source
from tests.oracle.answers import Answer, differences
from tests.support import edge_cases, queries
from tests.support.mutations import CHANGES, REPLICA_CHANGES, mutate
from tests.support.server import Database, Server
from tests.support.source import KEYS

NOW = datetime(2025, 12, 12, 20, 55, 31, 163000, tzinfo=UTC)


def _rows(connection: Connection) -> set[object]:
    return {row for rows in read_source(connection) for row in rows}


@pytest.fixture(scope="module")
def shared(server: Server, source_template: Database) -> Iterator[Connection]:
    """Rows that the tests which use them leave as they are."""
    database = server.create("edge_cases", template=source_template.name)
    with database.connect() as connection:
        edge_cases.write(connection, edge_cases.generate(Random(1), 60, now=NOW, tenants=["u", "v"]))
        yield connection
    server.drop(database)


def test_leads_are_of_every_kind(source_database: Database) -> None:
    rows = edge_cases.generate(Random(1), 600, now=NOW)
    assert {table for table, _ in rows} == set(KEYS)
    with source_database.connect() as conn:
        edge_cases.write(conn, rows)
        leads, source = read_model(conn).all_leads(), read_source(conn)
    kinds = {
        "on two platforms": any(len(lead.platforms) > 1 for lead in leads),
        "on none": any(not lead.platforms for lead in leads),
        "of sends only": any(not lead.conversations for lead in leads),
        "with a noted time only": any(lead.last_message_at and not lead.messages for lead in leads),
        "without any time": any(lead.last_message_at is None for lead in leads),
        "with several conversations": any(lead.conversation_count > 1 for lead in leads),
        "of two tenants": len({lead.customer_phone for lead in leads}) < len(leads),
        "called stats": any(lead.customer_phone == "stats" for lead in leads),
        "with a slash": any("/" in lead.customer_phone for lead in leads),
        "with an empty extraction": any(lead.has_extraction and lead.total_score is None for lead in leads),
        "of each status": {lead.lead_status for lead in leads} == {None, "Hot", "Warm", "Cold"},
        "with a name from a contact": any(lead.name and not lead.has_extraction for lead in leads),
        "without a name": any(lead.name is None for lead in leads),
    }
    assert [kind for kind, occurs in kinds.items() if not occurs] == []
    sent = source.messages
    assert any(row.timestamp and row.timestamp.microsecond % 1000 == 999 for row in sent)
    assert any(row.timestamp is None for row in sent)
    assert any(row.sequence_no is None for row in sent)
    assert len({row.timestamp for row in sent}) < len(sent) * 3 // 4
    assert {row.is_latest for row in source.extractions} == {True, False, None}
    assert {row.is_active for row in source.conversations} == {True, False, None}


def test_every_kind_of_change_can_be_made(shared: Connection) -> None:
    wrong, untouched = [], _rows(shared)
    for kind in (*CHANGES, *REPLICA_CHANGES):
        with shared.transaction(force_rollback=True):
            before = untouched
            if kind == "replica adopt":
                for seed in range(20):
                    mutate(Random(seed), shared, kind="replica orphan")
                before = _rows(shared)
            # A change may collide with an existing key; one of several seeds must succeed.
            told = [mutate(Random(100 + seed), shared, kind=kind, now=NOW) for seed in range(12)]
            if all("skipped" in text or "given up" in text for text in told):
                wrong.append(f"{kind}: {told}")
            # A change that is undone leaves the rows as they were.
            if (_rows(shared) != before) == (kind == "change and change back"):
                wrong.append(f"{kind}: {told}")
    assert wrong == []


@pytest.fixture(scope="module")
def model(shared: Connection) -> Model:
    return read_model(shared)


def test_parameters_are_of_every_kind(model: Model) -> None:
    words = queries.vocabulary(model, "u")
    seen: set[tuple[int, bool]] = set()

    @settings(max_examples=100, derandomize=True)
    @given(params=queries.list_params(words))
    def look(params: queries.Pairs) -> None:
        answer = list_leads(model, "u", params, NOW)
        seen.add((answer.status, bool(answer.body.get("data"))))

    look()
    assert seen == {(200, True), (200, False), (400, False)}


def test_differences_tell_where_an_answer_departs(model: Model) -> None:
    expected = list_leads(model, "u", [("limit", "100")], NOW)
    assert expected.body["data"]
    body = {**expected.body, "timestamp": "…", "correlationId": "…"}
    assert differences(expected, 200, body) == []
    assert differences(expected, 500, body) != []
    assert differences(expected, 200, expected.body) == ["timestamp or correlationId is missing"]
    changed = {**body, "pagination": {**expected.body["pagination"], "hasMore": 0}}
    assert {'-  "hasMore": false,', '+  "hasMore": 0,'} <= {*differences(expected, 200, changed)}
    assert differences(expected, 200, {**body, "more": 1}) != []
    bad = Answer(400, {"error": "Bad Request"}, frozenset({"limit"}))
    answer = {"error": "Bad Request", "message": "days: …", "timestamp": "…", "correlationId": "…"}
    assert differences(bad, 400, answer) == ["the message does not name 'limit': days: …"]
