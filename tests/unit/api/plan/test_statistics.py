"""The statistics of any moment: the buckets add up to the count."""

from datetime import datetime, timedelta
from random import Random

from api.database.pool import Database as ApiDatabase
from api.plan.statistics import STATISTICS_DAYS, lead_statistics, stand_until, windows_of
from tests.unit.api.plan.conftest import LEADS, USER, Connection, count_leads, some_time


def test_the_statistics_of_any_moment(api: ApiDatabase, leads: Connection) -> None:
    """The leads do not change here, so that their counts are decided by the windows alone."""
    rng = Random(3)
    counts: dict[bytes, tuple[int, ...]] = {}
    ends: dict[datetime | None, tuple[int, ...]] = {}
    moments = [some_time(rng, -12, 12) for _ in range(100)]
    edges = [
        row[0] + timedelta(days=days)
        for row in leads.execute("SELECT last_message_at FROM read_model.leads LIMIT 40").fetchall()
        for days in STATISTICS_DAYS
        if row[0] is not None
    ]
    for now in sorted([*moments, *edges, *(edge + timedelta(microseconds=1) for edge in edges)]):
        row = api.fetch(lead_statistics(USER, now))
        found, until = windows_of(row), stand_until(row)
        numbers = tuple(getattr(row, f"leads_last_{days}_days") for days in STATISTICS_DAYS)
        assert numbers == tuple(count_leads(leads, now - timedelta(days=days)) for days in STATISTICS_DAYS)
        assert row.total_leads == row.webchat == LEADS
        assert counts.setdefault(found, numbers) == numbers
        # Up to its end an answer may be given again, and not after it.
        assert ends.setdefault(until, numbers) == numbers
        assert until is None or now <= until
    # And other windows are of other counts: without a change, the caller keeps its tag.
    assert len(set(counts.values())) == len(counts) > len(edges) / 4
