"""Reads that do not notice how large a tenant is: the largest one against one of 1,000 leads, in the same database."""

from collections.abc import Iterator
from functools import partial

from tests.benchmarks import api_statements, load, servers
from tests.benchmarks.core import Row, goal, interleave
from tests.benchmarks.fixtures import Fixtures

AREA = "Scale"
SORTS = ("last_message_at", "first_contact_at", "total_messages", "total_score", "name")


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    tenants = fixtures.main.tenants
    with servers.api(fixtures.main) as api, api_statements.reader(fixtures.main) as reader:
        phones = {size: reader.ordinary_lead(tenants[size]) for size in ("big", "small")}
        reads = [
            (f"first page by {sort}, {direction}", f"?sort_by={sort}&sort_order={direction}")
            for sort in SORTS
            for direction in ("desc", "asc")
        ]
        reads += [
            ("single lead", "/{phone}"),
            ("messages page", "/{phone}/messages"),
            ("statistics", "/stats"),
        ]
        for title, path in reads:
            urls = {
                size: f"{api.url}/users/{tenants[size]}/leads{path.format(phone=phones[size])}"
                for size in phones
            }
            found = interleave(
                fixtures.size.rounds,
                {size: partial(_p50, url, fixtures.size.load) for size, url in urls.items()},
                warm_up=False,
            )
            name = f"the same in a tenant of {fixtures.size.small:,}"
            what = f"p50, {title}, among {fixtures.size.big:,} leads"
            yield Row(AREA, what, "ms", found["big"], name, found["small"], goal("scale"))


def _p50(url: str, seconds: float) -> float:
    return load.run(url, connections=1, seconds=seconds).p50
