"""The subscriptions that bring rows of the source tables, and what keeps changes of the platform from arriving."""

from dataclasses import dataclass

from projector.database.rows import Connection, rows, values
from projector.database.sql import query
from projector.report.counted import counted


@dataclass(frozen=True, slots=True)
class Feed:
    """A subscription that brings rows of source tables; see projector.feeds."""

    name: str
    slot_name: str | None
    is_enabled: bool
    unready_tables: int
    has_worker: bool
    position: str | None
    errors: int
    bytes_behind: int | None


def read_feeds(conn: Connection) -> list[Feed]:
    """Return the subscriptions that bring rows of source tables; none where these are the platform's own."""
    return rows(conn, Feed, query("origin", "read_feeds"))


def read_unfed_tables(conn: Connection) -> list[str]:
    """Return the source tables, or partitions of one, that no subscription brings although one brings others."""
    return values(conn, query("origin", "read_unfed_tables"))


def count_errors(feeds: list[Feed]) -> int:
    """Return how often the subscriptions have failed."""
    return sum(feed.errors for feed in feeds)


def find_problem(feeds: list[Feed], unfed_tables: list[str], errors_at_proof: int) -> str | None:
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
    failures = count_errors(feeds) - errors_at_proof
    names = ", ".join(feed.name for feed in feeds)
    if failures > 0:
        return f"The subscription {names} failed {counted(failures, 'time')} since something arrived last"
    idle = next((feed for feed in feeds if not feed.has_worker), None)
    return None if idle is None else f"The subscription {idle.name} has no worker"
