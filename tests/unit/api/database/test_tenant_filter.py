"""No statement of the API reads a table without the tenant of its request: each predicate is taken out in turn."""

import re
from collections.abc import Iterator
from itertools import product
from urllib.parse import quote

import pytest

from api.database.statement import BoundStatement, CompiledStatement, Row, compile_statement
from api.request.cursor import encode, scope_of
from api.request.parameters import LIST_QUERY, SORTS
from tests.support.tenant_filter import unfiltered_tables
from tests.unit.api.conftest import Library, MakeApp

FILTERS = (
    "",
    "&lead_status=Hot",
    "&platform=whatsapp,webchat&has_email=true",
    "&days=400",
    "&from_date=2020-01-01&to_date=2030-01-01&has_extraction=true",
    "&search=ann",
    "&search=a%20b&lead_status=Warm",
    "&search=%2B49%20151&days=400",
    "&min_total_score=6&max_total_score=14",
    "&agent_id=test-agent-001&is_active=true&last_message_sender=user",
    "&has_conversation=false",
)

# A value of each sort that a cursor may have; leads without one come last where there are any.
VALUES = {
    "last_message_at": "2026-03-01T00:00:00.000Z",
    "first_contact_at": "2026-03-01T00:00:00.000Z",
    "total_messages": 3,
    "total_score": 8,
    "name": "m",
}
NULLABLE = {"last_message_at", "total_score", "name"}


def paths(library: Library) -> Iterator[str]:
    """Requests for each kind of statement."""
    for sort, order, offset, given in product(SORTS, ("asc", "desc"), (0, 1, 5000), FILTERS):
        yield f"{library.base}?sort_by={sort}&sort_order={order}&offset={offset}{given}"
    for sort, order, value, given in product(SORTS, ("asc", "desc"), (None, VALUES), FILTERS):
        query = f"sort_by={sort}&sort_order={order}{given}"
        cursor = encode(
            scope_of(LIST_QUERY.read(query).page.asked, (library.tenant,)), [value and value[sort], "1"]
        )
        if value or sort in NULLABLE:
            yield f"{library.base}?{query}&cursor={cursor}"
    yield f"{library.base}/stats"
    yield f"{library.base}/{library.phone}"
    message_id = next(
        lead.messages[0].message_id
        for lead in library.model.of_tenant(library.tenant).values()
        if lead.customer_phone == library.phone
    )
    named = f"?before={quote(message_id)}&after={quote(message_id)}&sort_order=desc"
    for query in ("", "?sender=user", "?limit=1&offset=1", named):
        yield f"{library.base}/{library.phone}/messages{query}"


def other_paths(library: Library) -> Iterator[str]:
    """Requests that read no page of leads or messages."""
    yield from (
        f"{library.base}/stats/series?from_date=2026-03-01&to_date=2026-03-02",
        "/health/ready",
        "/metrics",
        "/",
        "/docs/openapi.json",
    )
    for export in ("leads.csv", "leads.ndjson", "messages.ndjson"):
        yield f"/users/{library.tenant}/{export}?from_date=2020-01-01&to_date=2030-01-01"


@pytest.fixture
def statements(library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The texts of the statements that the requests send, and the place of the tenant among their values, or 0."""
    found: dict[str, int] = {}

    def noted(bound: BoundStatement[Row]) -> CompiledStatement[Row]:
        compiled = compile_statement(bound)
        names = compiled.names
        found[compiled.text.decode()] = names.index("user_id") + 1 if "user_id" in names else 0
        return compiled

    monkeypatch.setattr("api.database.pool.compile_statement", noted)
    monkeypatch.setattr("api.database.snapshot.compile_statement", noted)
    client = make_app(library.database, rate_limit="").test_client()
    feed = f"/users/{library.tenant}/lead-changes"
    token = client.get(feed).get_json()["next"]
    since = (f"{feed}?since={token}", f"{feed}?since={token}&wait=1&lead_status=Hot")
    for path in (*paths(library), *other_paths(library), *since):
        with client.get(path) as answer:
            assert answer.status_code == 200, path
            # An export gives its place back once it was read.
            assert answer.data
    return found


def test_each_predicate_that_is_taken_out_is_missed(statements: dict[str, int]) -> None:
    assert len(statements) > 100
    assert {
        text: found for text, place in statements.items() if (found := unfiltered_tables(text, place))
    } == {}
    mutants = 0
    # To read one statement again for each of its predicates takes a second: these few are of every kind.
    for text, place in [*statements.items()][::20]:
        # `unindexed` is a sub-select, which has the condition too.
        for predicate in re.finditer(rf"\b(?!unindexed)\w+\.user_id = \${place}\b", text):
            instead = ("true", "l.user_id = l.user_id", f"{predicate[0]} OR true")[mutants % 3]
            mutated = text[: predicate.start()] + instead + text[predicate.end() :]
            assert unfiltered_tables(mutated, place), mutated
            mutants += 1
    assert mutants > 50
