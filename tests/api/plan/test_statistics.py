"""The statistics of any moment: the buckets add up to the count."""

from datetime import timedelta
from random import Random

from api.database.pool import Database as ApiDatabase
from api.plan.statistics import STATISTICS_DAYS, lead_statistics
from tests.api.plan.conftest import LEADS, USER, Connection, count_leads, some_time


def test_the_statistics_of_any_moment(api: ApiDatabase, leads: Connection) -> None:
    rng = Random(2)
    for _ in range(150):
        now = some_time(rng, -12, 12) + rng.choice((timedelta(0), timedelta(microseconds=1)))
        row = api.fetch(lead_statistics(USER, now))
        for days in STATISTICS_DAYS:
            found = getattr(row, f"leads_last_{days}_days")
            assert found == count_leads(leads, now - timedelta(days=days)), now
        assert row.total_leads == row.webchat == LEADS
