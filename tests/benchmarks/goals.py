# ruff: noqa: RUF001  # A ratio is written with its sign.
"""The goals of the project, for two cores that server, database and load share."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a ratio or on a value."""

    key: str
    text: str
    side: Literal["≤", "≥"]
    bound: float

    def is_met(self, value: float) -> bool:
        """Return whether a value keeps the bound."""
        return value <= self.bound if self.side == "≤" else value >= self.bound


def _at_most(key: str, bound: float, text: str) -> Goal:
    return Goal(key, text, "≤", bound)


def _at_least(key: str, bound: float, text: str) -> Goal:
    return Goal(key, text, "≥", bound)


GOALS = {
    goal.key: goal
    for goal in (
        _at_most("inside", 2, "request ≤ 2 × an empty endpoint with the same limiter and headers"),
        _at_most(
            "beyond", 1.5, "time beyond an empty endpoint ≤ 1.5 × the same rows by a bare prepared statement"
        ),
        _at_least(
            "throughput", 0.8, "requests a second ≥ 0.8 × a plain route with the same limiter and headers"
        ),
        _at_least("throughput_bare", 0.6, "requests a second ≥ 0.6 × a plain route without them"),
        _at_least(
            "peer",
            1,
            "requests a second ≥ 1 × plain Flask with a pool of psycopg's, without limiter and headers",
        ),
        _at_most("unchanged", 0.6, "processor time of a 304 ≤ 0.6 × of the full answer"),
        _at_most(
            "guard", 1.05, "a request with all that protects it ≤ 1.05 × without what can be switched off"
        ),
        _at_most("export", 2, "export of all leads ≤ 2 × COPY TO STDOUT of the same text"),
        _at_most("feed_merge", 1.15, "refresh with the change feed ≤ 1.15 × without its index"),
        _at_most("feed_pages", 1, "pages that a message changes more with the change feed ≤ an index entry"),
        _at_most("scale", 1.3, "p50 in the largest tenant ≤ 1.3 × in a tenant of 1,000 leads"),
        _at_most("total_facets", 2, "exact total by facets ≤ 2 ms in the database"),
        _at_most("total_time", 40, "exact total in a time range ≤ 40 ms in the database"),
        _at_most(
            "total_search", 50, "exact total of a search with up to 10,000 matches ≤ 50 ms in the database"
        ),
        _at_most("deep_page", 150, "page at offset 500,000 ≤ 150 ms in the database"),
        _at_most(
            "search_small", 2, "search in a small tenant next to a large one ≤ 2 × in the same tenant alone"
        ),
        _at_least("live_list", 1000, "aggregation from the source tables ≥ 1,000 × a list page"),
        _at_least("live_statistics", 10_000, "aggregation from the source tables ≥ 10,000 × the statistics"),
        _at_most("refresh_one", 5, "refresh of 1 stale lead ≤ 5 ms"),
        _at_most("refresh_many", 0.15, "refresh of 10,000 stale leads ≤ 0.15 × a rebuild of 150,000 leads"),
        _at_most("refresh_scale", 1.2, "refresh in the largest tenant ≤ 1.2 × in a tenant of 10,000 leads"),
        _at_most("hot_lead", 1.5, "new message of a lead with 100,000 messages ≤ 1.5 × of a lead with 10"),
        _at_least(
            "two_projectors", 1.6, "changes a second of two projectors ≥ 1.6 × of one, over 40 tenants"
        ),
        _at_most("visible", 1, "time from a commit until readers see the change, p99 ≤ 1 s"),
        _at_most("answer_p50", 20, "commit to HTTP answer, p50 ≤ 20 ms at 1 and at 100 commits a second"),
        _at_most("answer_p99", 50, "commit to HTTP answer, p99 ≤ 50 ms at 1 and at 100 commits a second"),
        _at_most("queue", 1, "changes that wait at the end of the load ≤ the changes of 1 s"),
        _at_most("refresh_idle", 2, "refresh with nothing to do ≤ 2 ms"),
        _at_most("first_build", 1.2, "first build ≤ 1.2 × CREATE TABLE AS + indexes"),
        _at_most("rebuild_right", 1.5, "rebuild of a right model ≤ 1.5 × CREATE TABLE AS + indexes"),
        _at_most(
            "rebuild_wal",
            5,
            "rebuild of a right model ≤ 5 MB of WAL for 100,000 leads, without full-page images",
        ),
        _at_most(
            "rebuild_changed", 3, "rebuild where every document differs ≤ 3 × CREATE TABLE AS + indexes"
        ),
        _at_most(
            "rebuild_readers",
            2,
            "readers' p99 during a rebuild in place ≤ 2 × during CREATE TABLE AS + indexes",
        ),
        _at_most("rebuild_failures", 0, "no failed read during a rebuild in place"),
        _at_most(
            "rebuild_waits", 0, "no reader waits for a lock longer than 50 ms during a rebuild in place"
        ),
        _at_most("verify_cpu", 1, "a whole round of the verify over 100,000 leads ≤ 1 % of a core for a day"),
        _at_most("heal_wal", 1, "rebuild or heal of a right tenant ≤ 1 MB of WAL for 100,000 leads"),
        _at_least("writer_single", 0.9, "writers' throughput with capture ≥ 0.9 × without, single rows"),
        _at_least(
            "writer_bulk",
            0.85,
            "writers' throughput with capture ≥ 0.85 × without, 100 rows a statement and COPY",
        ),
        _at_most("disk", 1.2, "read model on disk with indexes ≤ 1.2 × the source tables with theirs"),
        _at_most("memory_api", 100, "memory of an API worker ≤ 100 MB"),
        _at_most("memory_rebuild", 600, "memory of a rebuild of any size ≤ 600 MB"),
    )
}
