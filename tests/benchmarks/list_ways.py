"""The ways to a page of the list, each against another way that gives the same page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType
from unittest.mock import patch

from sqlalchemy import true

from api.plan.list import in_order, pages, plan
from api.plan.list.statement import list_statement
from tests.benchmarks import api_statements
from tests.benchmarks.core import Row, interleave, milliseconds
from tests.benchmarks.fixtures import Fixtures


@dataclass(frozen=True, slots=True)
class _Way:
    """A list that the API answers in one way, and what has it answer in another one."""

    title: str
    query: str
    other: str
    module: ModuleType
    name: str
    value: object


_NO_COLLECTING = (pages, "MIN_LEADS_PASSED", 2**31 - 1)
_ALWAYS_COLLECTING = (pages, "reads_fewer_collecting", lambda _plan, _counts: true())
_WAYS = (
    _Way(
        "one facet: documents in order",
        "lead_status=Hot",
        "keys in order",
        in_order,
        "_reads_documents",
        lambda _: False,
    ),
    _Way(
        "rare facets: keys in order",
        "lead_status=Hot&platform=webchat&min_total_score=11",
        "documents in order",
        in_order,
        "_reads_documents",
        lambda _: True,
    ),
    _Way(
        "a rare combination: buckets", "min_total_score=15&platform=webchat", "keys in order", *_NO_COLLECTING
    ),
    _Way(
        "a rare combination by name: collected",
        "min_total_score=15&platform=webchat&sort_by=name",
        "keys in order",
        *_NO_COLLECTING,
    ),
    _Way(
        "a late page of few matches by name: collected",
        "min_total_score=14&sort_by=name&offset=1000",
        "keys in order",
        *_NO_COLLECTING,
    ),
    _Way(
        "a late page of many matches by name: keys in order",
        "lead_status=Hot&sort_by=name&offset=4000",
        "collected",
        *_ALWAYS_COLLECTING,
    ),
    _Way("a far page: buckets", "offset={late}", "keys in order", plan, "FAR_OFFSET", 2**62),
)


def measure(area: str, fixtures: Fixtures) -> Iterator[Row]:
    """Each way to a page against the other one that would give it."""
    user_id, now = fixtures.main.tenants["big"], datetime.now(UTC)
    with api_statements.reader(fixtures.main) as reader:
        for way in _WAYS:
            list_statement.cache_clear()
            query = way.query.format(late=fixtures.size.big * 9 // 10)
            ours = reader.list_call(user_id, query, now)
            with patch.object(way.module, way.name, way.value):
                list_statement.cache_clear()
                other = reader.list_call(user_id, query, now)
            list_statement.cache_clear()
            if ours()[2:] != other()[2:]:
                raise AssertionError(f"Two ways to one page differ: {query}")
            found = interleave(
                fixtures.size.rounds,
                {
                    "ours": lambda: milliseconds(ours, 3),  # noqa: B023
                    "other": lambda: milliseconds(other, 3),  # noqa: B023
                },
            )
            yield Row(
                area,
                f"{way.title}, in the database",
                "ms",
                found["ours"],
                f"the same page by {way.other}",
                found["other"],
                note=query,
            )
