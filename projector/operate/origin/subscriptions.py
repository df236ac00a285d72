"""The subscriptions that bring rows of the source tables, and what keeps changes of the platform from arriving."""

from projector.database.rows import Connection, Row, rows, values
from projector.database.sql import query
from projector.report.counted import counted


def read_feeds(conn: Connection) -> list[Row]:
    """Return the subscriptions that bring rows of source tables; none where these are the platform's own."""
    return rows(conn, Row, query("origin", "read_feeds"))


def read_unfed_tables(conn: Connection) -> list[str]:
    """Return the source tables, or partitions of one, that no subscription brings although one brings others."""
    return values(conn, query("origin", "read_unfed_tables"))


def find_problem(feeds: list[Row], unfed_tables: list[str], errors_at_proof: int) -> str | None:
    """Return what keeps changes from arriving, as a sentence without its full stop; None where nothing does."""
    if not feeds:
        return "No subscription brings rows of the source tables, although LEADS_ORIGIN_DATABASE_URL is set"
    for feed in feeds:
        if not feed.is_enabled:
            return f"The subscription {feed.name} is disabled"
        if feed.unready_tables:
            return f"The subscription {feed.name} has yet to copy {counted(feed.unready_tables, 'table')}"
    if unfed_tables:
        return f"No subscription brings rows of {', '.join(unfed_tables)}"
    failures = sum(feed.errors for feed in feeds) - errors_at_proof
    names = ", ".join(feed.name for feed in feeds)
    if failures > 0:
        return f"The subscription {names} failed {counted(failures, 'time')} since something arrived last"
    idle = next((feed for feed in feeds if not feed.has_worker), None)
    return None if idle is None else f"The subscription {idle.name} has no worker"
