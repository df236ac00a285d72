"""No statement of the API forgets the tenant of its request.

If one did, row security would hide the rows of the others: test_row_security.py has each table.
"""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest

from api.database.statement import BoundStatement, CompiledStatement, Row, compile_statement
from api.request.parameters import SORTS
from api.request.position.cursor import encode, scope_of
from api.request.query import QUERIES
from tests.support.tenant_filter import unfiltered_tables
from tests.unit.api.conftest import Library, making_apps

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
    "&waiting_minutes=30&include=waiting",
    "&reply_window=closed",
    "&reply_window_hours=2&reply_window=open",
)

# A value of each sort that a cursor may have; leads without one come last where there are any.
VALUES = {
    "last_message_at": "2026-03-01T00:00:00.000Z",
    "first_contact_at": "2026-03-01T00:00:00.000Z",
    "total_messages": 3,
    "total_score": 8,
    "name": "m",
    "waiting_since": "2026-03-01T00:00:00.000Z",
    "reply_window_ends_at": "2026-03-01T00:00:00.000Z",
    "status_since": "2026-03-01T00:00:00.000Z",
}
NULLABLE = {"last_message_at", "total_score", "name", "waiting_since", "reply_window_ends_at", "status_since"}


def paths(library: Library) -> Iterator[str]:
    """Requests for each kind of statement."""
    # Each way to a page with a third of the filters, and each filter with a third of the ways.
    for n, (sort, order, begin) in enumerate(product(SORTS, ("asc", "desc"), (0, 5000, None, VALUES))):
        for filters in FILTERS[n % 3 :: 3]:
            query = f"sort_by={sort}&sort_order={order}{filters}"
            if isinstance(begin, int):
                yield f"{library.base}?{query}&offset={begin}"
            elif begin or sort in NULLABLE:
                scope = scope_of(QUERIES["listLeads"].read(query).page.asked, (library.tenant,))
                yield f"{library.base}?{query}&cursor={encode(scope, [begin and begin[sort], '1'])}"
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
    yield f"{library.base}/stats/series?from_date=2026-03-01&to_date=2026-03-02&include=waiting"
    yield f"{library.base}/facets?facets=reply_window"
    yield from ("/health/ready", "/metrics", "/", "/docs/openapi.json")
    for export in ("leads.csv", "leads.ndjson", "messages.ndjson"):
        yield f"/users/{library.tenant}/{export}?from_date=2020-01-01&to_date=2030-01-01"


@pytest.fixture(scope="module")
def statements(library: Library) -> list[CompiledStatement[Any]]:
    """The statements of requests for everything, as they are sent to PostgreSQL: one for each text."""
    statements_by_text: dict[bytes, CompiledStatement[Any]] = {}

    def noted(bound: BoundStatement[Row]) -> CompiledStatement[Row]:
        compiled = compile_statement(bound)
        statements_by_text.setdefault(compiled.text, compiled)
        return compiled

    with pytest.MonkeyPatch.context() as patch, making_apps() as make:
        patch.setattr("api.database.pool.compile_statement", noted)
        patch.setattr("api.database.snapshot.compile_statement", noted)
        client = make(library.database).test_client()
        feed = f"/users/{library.tenant}/lead-changes"
        token = client.get(feed).get_json()["next"]
        since = (f"{feed}?since={token}", f"{feed}?since={token}&wait=1&lead_status=Hot")
        for path in (*paths(library), *since):
            with client.get(path) as answer:
                assert answer.status_code == 200, path
                # An export gives its place back once it was read.
                assert answer.data
    return list(statements_by_text.values())


@pytest.mark.thorough
def test_each_predicate_that_is_taken_out_is_missed(statements: list[CompiledStatement[Any]]) -> None:
    assert len(statements) > 100
    # The place of the tenant among the values, or 0.
    texts = {
        statement.text.decode(): statement.names.index("user_id") + 1 if "user_id" in statement.names else 0
        for statement in statements
    }
    assert {text: tables for text, place in texts.items() if (tables := unfiltered_tables(text, place))} == {}
    mutants = 0
    # To read one statement again for each of its predicates takes a second: these few are of every kind.
    for text, place in [*texts.items()][::27]:
        # `unindexed` is a sub-select, which has the condition too.
        for predicate in re.finditer(rf"\b(?!unindexed)\w+\.user_id = \${place}\b", text):
            instead = ("true", "l.user_id = l.user_id", f"{predicate[0]} OR true")[mutants % 3]
            mutated = text[: predicate.start()] + instead + text[predicate.end() :]
            assert unfiltered_tables(mutated, place), mutated
            mutants += 1
    assert mutants > 15
