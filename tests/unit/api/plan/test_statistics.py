"""The statistics of any moment: the buckets add up to the count."""

import json
from datetime import datetime, timedelta
from random import Random

from api.database.pool import Database as ApiDatabase
from api.plan.statistics import STATISTICS_DAYS, lead_statistics
from tests.unit.api.plan.conftest import LEADS, USER, Connection, count_leads, some_time


def test_the_statistics_of_any_moment(api: ApiDatabase, leads: Connection) -> None:
    """The leads do not change here, so that their counts are decided by the windows alone."""
    rng = Random(3)
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
        found, until = json.loads(row.statistics), row.stands_until
        numbers = tuple(found[f"leads_last_{days}_days"] for days in STATISTICS_DAYS)
        assert numbers == tuple(count_leads(leads, now - timedelta(days=days)) for days in STATISTICS_DAYS)
        assert found["total_leads"] == found["by_platform"]["webchat"] == LEADS
        # Up to its end an answer may be given again, and not after it.
        assert ends.setdefault(until, numbers) == numbers
        assert until is not None
        assert now <= until
    assert len(set(ends.values())) > len(edges) / 4
