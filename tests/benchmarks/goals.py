# ruff: noqa: RUF001  # A ratio is written with its sign.
"""The goals of the project, for two cores that server, database and load share."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """A sentence that bounds the ratio of a row, or its own value where it has a unit."""

    key: str
    text: str
    unit: str = ""

    @property
    def side(self) -> str:
        return "≥" if "≥" in self.text else "≤"

    @property
    def bound(self) -> float:
        """Return the number behind the sign; 1 where a baseline stands there, and 0 where nothing may be."""
        match = re.search(r"[≤≥] ([\d.,]*)", self.text)
        return 0 if match is None else float(match[1].replace(",", "") or 1)

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.side == "≥" else value <= self.bound


_GOALS = (
    Goal("inside", "request ≤ 2 × an empty endpoint with the same limiter and headers"),
    Goal("beyond", "time beyond an empty endpoint ≤ 1.5 × the same rows by a bare prepared statement"),
    Goal("unchanged", "processor time of a 304 ≤ 0.6 × of the full answer"),
    Goal("unchanged_hit", "processor time of a 304 from memory ≤ 0.15 × of the full answer without memory"),
    Goal("guard", "a request with all that protects it ≤ 1.05 × without what can be switched off"),
    Goal("flood_p50", "a tenant's median beside a flood ≤ 3 × alone"),
    Goal("flood_p99", "a tenant's p99 beside a flood ≤ 1,000 ms", "ms"),
    Goal("flood_live", "/health/live beside a flood ≤ 100 ms", "ms"),
    Goal("flood_refused", "no request of a tenant is refused beside a flood", "requests"),
    Goal("export", "export of all leads ≤ 2 × COPY TO STDOUT of the same text"),
    Goal("feed_merge", "refresh with the change feed ≤ 1.15 × without its index"),
    Goal("feed_pages", "pages that a message changes more with the change feed ≤ an index entry", "pages"),
    Goal("scale", "p50 in the largest tenant ≤ 1.3 × in a tenant of 1,000 leads"),
    Goal("total_facets", "exact total by facets ≤ 2 ms in the database", "ms"),
    Goal("total_time", "exact total in a time range ≤ 40 ms in the database", "ms"),
    Goal("total_search", "exact total of a search with up to 10,000 matches ≤ 50 ms in the database", "ms"),
    Goal("facets", "facets whose counts are kept ≤ 5 ms in the database", "ms"),
    Goal("attribute_equality", "attribute with 1,000 matches, page and total ≤ 10 ms in the database", "ms"),
    Goal(
        "attribute_third",
        "attribute that a third of the leads has, page and total ≤ 60 ms in the database",
        "ms",
    ),
    Goal("attribute_range", "range of a declared attribute, page and total ≤ 20 ms in the database", "ms"),
    Goal(
        "attribute_json_range", "range of an attribute of JSON, page and total ≤ 120 ms in the database", "ms"
    ),
    Goal("attribute_facet", "facet of an attribute with 10,000 values ≤ 150 ms in the database", "ms"),
    Goal("history_lead", "history of a lead ≤ 1 ms in the database", "ms"),
    Goal("history_funnel", "funnel of all leads ≤ 100 ms in the database", "ms"),
    Goal("history_month", "funnel of a month ≤ 50 ms in the database", "ms"),
    Goal(
        "history_became", "leads that became Hot, 1,000 of them, page and total ≤ 10 ms in the database", "ms"
    ),
    Goal("history_message", "refresh of 1 message with the history of statuses ≤ 1.03 × without a status"),
    Goal(
        "history_extraction", "refresh of 1 extraction with the history of statuses ≤ 1.15 × without a status"
    ),
    Goal("history_build", "first build with the history of statuses ≤ 1.1 × without a status"),
    Goal("attribute_names", "list of the attributes ≤ 150 ms in the database", "ms"),
    Goal("attribute_message", "refresh of 1 message with 8 attributes ≤ 1.03 × without"),
    Goal("attribute_extraction", "refresh of 1 extraction with 8 attributes ≤ 1.1 × without"),
    Goal("attribute_build", "first build with 8 attributes ≤ 1.15 × without"),
    Goal("lookup", "lookup of 500 phones ≤ 10 ms in the database", "ms"),
    Goal("deep_page", "page at offset 500,000 ≤ 150 ms in the database", "ms"),
    Goal("refresh_one", "refresh of 1 stale lead ≤ 5 ms", "ms"),
    Goal("refresh_many", "refresh of 10,000 stale leads ≤ 0.15 × a rebuild of 150,000 leads"),
    Goal("refresh_scale", "refresh in the largest tenant ≤ 1.2 × in a tenant of 10,000 leads"),
    Goal("refresh_idle", "refresh with nothing to do ≤ 2 ms", "ms"),
    Goal("hot_lead", "new message of a lead with 100,000 messages ≤ 1.5 × of a lead with 10"),
    Goal("answer_p50", "commit to answer, p50 ≤ 20 ms at 1 and at 100 commits a second", "ms"),
    Goal("answer_p99", "commit to answer, p99 ≤ 50 ms at 1 commit a second", "ms"),
    Goal("busy_p99", "commit to answer, p99 ≤ 40 ms at 100 commits a second", "ms"),
    Goal("loaded_p50", "commit to answer, p50 ≤ 40 ms at 1,000 commits a second", "ms"),
    Goal("loaded_p99", "commit to answer, p99 ≤ 120 ms at 1,000 commits a second", "ms"),
    Goal("kept_answer_p50", "commit to answer from memory, p50 ≤ 30 ms at 1 and 100 commits a second", "ms"),
    Goal("kept_answer_p99", "commit to answer from memory, p99 ≤ 60 ms at 1 commit a second", "ms"),
    Goal("kept_busy_p99", "commit to answer from memory, p99 ≤ 50 ms at 100 commits a second", "ms"),
    Goal("kept_loaded_p50", "commit to answer from memory, p50 ≤ 50 ms at 1,000 commits a second", "ms"),
    Goal("kept_loaded_p99", "commit to answer from memory, p99 ≤ 130 ms at 1,000 commits a second", "ms"),
    Goal("live_p99", "commit to the event of each of 1,000 viewers, p99 ≤ 150 ms", "ms"),
    Goal("live_memory", "memory of the API with 1,000 viewers ≤ 150 MB", "MB"),
    Goal("live_statements", "statements a change ≤ those of distinct tenants and filters of viewers"),
    Goal("live_quiet", "no statement for viewers while nothing changes", "statements"),
    Goal("first_build", "first build ≤ 1.2 × CREATE TABLE AS + indexes"),
    Goal("rebuild_readers", "readers' p99 during a rebuild in place ≤ 2 × during CREATE TABLE AS + indexes"),
    Goal("rebuild_failures", "no failed read during a rebuild in place", "reads"),
    Goal("rebuild_waits", "no reader waits for a lock longer than 50 ms during a rebuild in place", "reads"),
    Goal("mass_import", "import into a live model ≤ 2 × a first build of the same leads"),
    Goal("mass_missing", "rebuild where all leads are missing ≤ 1.3 × a first build"),
    Goal("mass_settled", "refresh after it ≤ 0.2 × a first build"),
    Goal("mass_sweep", "rebuild where leads are missing ≤ 2 × a first build"),
    Goal("mass_differs", "rebuild where all leads differ ≤ 3 × a first build"),
    Goal("mass_wal", "WAL of a rebuild ≤ 1.3 × of a first build, without that of indexes"),
    Goal("mass_p95", "one message during a mass change, p95 ≤ 250 ms", "ms"),
    Goal("mass_p99", "one message during a mass change, p99 ≤ 500 ms", "ms"),
    Goal("verify_cpu", "a whole verify of 100,000 leads ≤ 1 % of a core for a day", "%"),
    Goal("citus_one", "refresh of 1 message on Citus ≤ 100 ms", "ms"),
    Goal("citus_many", "refresh of 1,000 messages of 100 tenants on Citus ≤ 5 × on one PostgreSQL"),
    Goal("citus_build", "first build on Citus ≤ 3 × on one PostgreSQL"),
    Goal("disk", "read model on disk with indexes ≤ 1.2 × the source tables with theirs"),
    Goal("memory", "memory of a rebuild of any size ≤ 600 MB", "MB"),
    Goal("throughput", "requests a second ≥ 0.8 × a plain route with the same limiter and headers"),
    Goal("miss_single", "single lead, without memory ≥ 0.75 × plain Flask with a pool of psycopg's"),
    Goal("miss_page", "list page of 50, without memory ≥ 0.9 × plain Flask with a pool of psycopg's"),
    Goal("hit_single", "single lead from memory ≥ 2 × uvicorn with asyncpg, no framework"),
    Goal("hit_page", "list page of 50 from memory ≥ 5 × uvicorn with asyncpg, no framework"),
    Goal("hit_compressed", "a compressed page from memory ≥ 3 × the same without memory"),
    Goal(
        "miss_writers", "requests that memory cannot answer, while all tenants change ≥ 0.95 × without memory"
    ),
    Goal("live_list", "aggregation from the source tables ≥ 1,000 × a list page"),
    Goal("live_statistics", "aggregation from the source tables ≥ 10,000 × the statistics"),
    Goal("two_projectors", "changes a second of two projectors ≥ 1.6 × of one, over 40 tenants"),
    Goal("writer_single", "writers' throughput with capture ≥ 0.9 × without, single rows"),
    Goal("writer_bulk", "writers' throughput with capture ≥ 0.85 × without, 100 rows a statement and COPY"),
)
GOALS = {goal.key: goal for goal in _GOALS}
