# ruff: noqa: RUF001  # A ratio is written with its sign.
"""The goals of the project, for two cores that server, database and load share."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Goal:
    key: str
    side: Literal["≤", "≥"]
    bound: float
    text: str

    def is_met(self, value: float) -> bool:
        return value <= self.bound if self.side == "≤" else value >= self.bound


_AT_MOST: dict[str, tuple[float, str]] = {
    "inside": (2, "request ≤ 2 × an empty endpoint with the same limiter and headers"),
    "beyond": (1.5, "time beyond an empty endpoint ≤ 1.5 × the same rows by a bare prepared statement"),
    "unchanged": (0.6, "processor time of a 304 ≤ 0.6 × of the full answer"),
    "unchanged_hit": (0.15, "processor time of a 304 from memory ≤ 0.15 × of the full answer without memory"),
    "guard": (1.05, "a request with all that protects it ≤ 1.05 × without what can be switched off"),
    "export": (2, "export of all leads ≤ 2 × COPY TO STDOUT of the same text"),
    "feed_merge": (1.15, "refresh with the change feed ≤ 1.15 × without its index"),
    "feed_pages": (1, "pages that a message changes more with the change feed ≤ an index entry"),
    "scale": (1.3, "p50 in the largest tenant ≤ 1.3 × in a tenant of 1,000 leads"),
    "total_facets": (2, "exact total by facets ≤ 2 ms in the database"),
    "total_time": (40, "exact total in a time range ≤ 40 ms in the database"),
    "total_search": (50, "exact total of a search with up to 10,000 matches ≤ 50 ms in the database"),
    "facets": (5, "facets whose counts are kept ≤ 5 ms in the database"),
    "lookup": (10, "lookup of 500 phones ≤ 10 ms in the database"),
    "deep_page": (150, "page at offset 500,000 ≤ 150 ms in the database"),
    "refresh_one": (5, "refresh of 1 stale lead ≤ 5 ms"),
    "refresh_many": (0.15, "refresh of 10,000 stale leads ≤ 0.15 × a rebuild of 150,000 leads"),
    "refresh_scale": (1.2, "refresh in the largest tenant ≤ 1.2 × in a tenant of 10,000 leads"),
    "refresh_idle": (2, "refresh with nothing to do ≤ 2 ms"),
    "hot_lead": (1.5, "new message of a lead with 100,000 messages ≤ 1.5 × of a lead with 10"),
    "answer_p50": (20, "commit to HTTP answer, p50 ≤ 20 ms at 1 and at 100 commits a second"),
    "answer_p99": (50, "commit to HTTP answer, p99 ≤ 50 ms at 1 commit a second"),
    "busy_p99": (40, "commit to HTTP answer, p99 ≤ 40 ms at 100 commits a second"),
    "loaded_p50": (40, "commit to HTTP answer, p50 ≤ 40 ms at 1,000 commits a second"),
    "loaded_p99": (120, "commit to HTTP answer, p99 ≤ 120 ms at 1,000 commits a second"),
    "live_p99": (150, "commit to the event of each of 1,000 viewers, p99 ≤ 150 ms"),
    "live_memory": (150, "memory of the API with 1,000 viewers ≤ 150 MB"),
    "live_statements": (1, "statements a change ≤ those of distinct tenants and filters of viewers"),
    "live_quiet": (0, "no statement for viewers while nothing changes"),
    "first_build": (1.2, "first build ≤ 1.2 × CREATE TABLE AS + indexes"),
    "rebuild_right": (1.5, "rebuild of a right model ≤ 1.5 × CREATE TABLE AS + indexes"),
    "rebuild_wal": (5, "rebuild of a right model ≤ 5 MB of WAL for 100,000 leads, without full-page images"),
    "rebuild_changed": (3, "rebuild where every document differs ≤ 3 × CREATE TABLE AS + indexes"),
    "rebuild_readers": (2, "readers' p99 during a rebuild in place ≤ 2 × during CREATE TABLE AS + indexes"),
    "rebuild_failures": (0, "no failed read during a rebuild in place"),
    "rebuild_waits": (0, "no reader waits for a lock longer than 50 ms during a rebuild in place"),
    "mass_import": (2, "import into a live model ≤ 2 × a first build of the same leads"),
    "mass_sweep": (2, "rebuild where leads are missing ≤ 2 × a first build"),
    "mass_differs": (3, "rebuild where all leads differ ≤ 3 × a first build"),
    "mass_wal": (1.3, "WAL of a rebuild ≤ 1.3 × of a first build, without that of indexes"),
    "mass_p95": (250, "one message during a mass change, p95 ≤ 250 ms"),
    "mass_p99": (500, "one message during a mass change, p99 ≤ 500 ms"),
    "verify_cpu": (1, "a whole verify of 100,000 leads ≤ 1 % of a core for a day"),
    "citus_one": (100, "refresh of 1 message on Citus ≤ 100 ms"),
    "citus_many": (5, "refresh of 1,000 messages of 100 tenants on Citus ≤ 5 × on one PostgreSQL"),
    "citus_build": (3, "first build on Citus ≤ 3 × on one PostgreSQL"),
    "disk": (1.2, "read model on disk with indexes ≤ 1.2 × the source tables with theirs"),
    "memory": (600, "memory of a rebuild of any size ≤ 600 MB"),
}
_AT_LEAST: dict[str, tuple[float, str]] = {
    "throughput": (0.8, "requests a second ≥ 0.8 × a plain route with the same limiter and headers"),
    "miss_single": (0.75, "single lead, without memory ≥ 0.75 × plain Flask with a pool of psycopg's"),
    "miss_page": (0.9, "list page of 50, without memory ≥ 0.9 × plain Flask with a pool of psycopg's"),
    "hit_single": (2, "single lead from memory ≥ 2 × uvicorn with asyncpg, no framework"),
    "hit_page": (5, "list page of 50 from memory ≥ 5 × uvicorn with asyncpg, no framework"),
    "hit_compressed": (3, "a compressed page from memory ≥ 3 × the same without memory"),
    "miss_writers": (
        0.95,
        "requests that memory cannot answer, while all tenants change ≥ 0.95 × without memory",
    ),
    "live_list": (1000, "aggregation from the source tables ≥ 1,000 × a list page"),
    "live_statistics": (10_000, "aggregation from the source tables ≥ 10,000 × the statistics"),
    "two_projectors": (1.6, "changes a second of two projectors ≥ 1.6 × of one, over 40 tenants"),
    "writer_single": (0.9, "writers' throughput with capture ≥ 0.9 × without, single rows"),
    "writer_bulk": (0.85, "writers' throughput with capture ≥ 0.85 × without, 100 rows a statement and COPY"),
}
GOALS = {
    **{key: Goal(key, "≤", bound, text) for key, (bound, text) in _AT_MOST.items()},
    **{key: Goal(key, "≥", bound, text) for key, (bound, text) in _AT_LEAST.items()},
}
