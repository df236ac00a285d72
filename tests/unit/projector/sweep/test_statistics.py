"""The statistics are compared with their leads, and mended where they differ."""

import pytest

from projector.database import locks
from projector.database.rows import Connection
from projector.report.errors import BlockedError
from projector.report.progress import QUIET
from projector.sweep import statistics
from projector.sweep.verify import verify
from tests.exactness.platform import refresh_now
from tests.support.running import value, write_conversations, write_message
from tests.support.server import Database
from tests.unit.projector.sweep.contents import STATISTICS, rows

NEVER = "49151000003"


@pytest.fixture
def counted(built: Connection, other: Connection) -> Connection:
    """Leads on two days and one without any time, with statistics that are right."""
    write_conversations(other, 3, first=2)
    for number, moment in ((1, "2025-03-01 10:20"), (2, "2025-03-01 12:00"), (4, "2025-03-02 00:00")):
        write_message(other, f"m{number}")
        other.execute(
            "UPDATE messages SET conversation_id = %s, timestamp = %s WHERE message_id = %s",
            (f"c-u-{number}", moment, f"m{number}"),
        )
    refresh_now(built)
    assert value(
        built, "SELECT last_message_at IS NULL FROM read_model.leads WHERE customer_phone = %s", NEVER
    )
    assert statistics.find_differences(built, None) == []
    return built


def versions(conn: Connection) -> dict[str, list[str]]:
    return {table: rows(conn, f"read_model.{table}", columns=", xmin, ctid") for table in STATISTICS}


def test_only_what_differs_is_written_some_rows_at_a_time(
    counted: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted.execute("UPDATE read_model.lead_daily_counts SET leads = 7 WHERE day = '2025-03-02'")
    counted.execute(
        "UPDATE read_model.lead_totals SET hot = 7 WHERE granularity = 'hour' AND bucket_start < '2025-03-02'"
    )
    before = versions(counted)
    monkeypatch.setattr(statistics, "ROWS_PER_TRANSACTION", 1)
    statistics.heal(counted, None)
    assert statistics.find_differences(counted, None) == []
    changed = {table: len(set(after) - set(before[table])) for table, after in versions(counted).items()}
    assert {table: rows for table, rows in changed.items() if rows} == {
        "lead_daily_counts": 1,
        "lead_totals": 2,
    }


def test_a_sample_has_the_statistics_of_its_tenants(counted: Connection) -> None:
    counted.execute("UPDATE read_model.lead_totals SET leads = leads + 1 WHERE granularity = 'all'")
    report = verify(counted, tenants=None, sample=1, heal=True, progress=QUIET)
    assert [drift.user_id for drift in report.drifts] == ["u"]
    assert statistics.find_differences(counted, None) == []


def test_what_is_refreshed_between_the_comparison_and_the_correction_is_counted(
    counted: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted.execute("UPDATE read_model.lead_totals SET leads = leads + 5, hot = 2")
    counted.execute("DELETE FROM read_model.lead_daily_counts")
    find, times = statistics.find_differences, []

    def find_and_refresh(conn: Connection, tenants: None) -> list[statistics.StatisticsDifference]:
        differences = find(conn, tenants)
        times.append(len(differences))
        if len(times) == 1:
            write_message(other, "m9")
            refresh_now(counted)
        return differences

    monkeypatch.setattr(statistics, "find_differences", find_and_refresh)
    statistics.heal(counted, None)
    assert times[1:] == [0]
    assert find(counted, None) == []


def test_a_batch_of_the_tenant_is_waited_for(database: Database, counted: Connection) -> None:
    counted.execute("UPDATE read_model.lead_counts SET leads = leads + 1")
    with database.connect() as batch, batch.transaction():
        batch.execute("SELECT pg_advisory_xact_lock(%s, hashtext('u'))", (locks.TENANT,))
        counted.execute("SET lock_timeout = '50ms'")
        with pytest.raises(BlockedError):
            statistics.heal(counted, None)
    assert len(statistics.find_differences(counted, None)) > 0
    counted.execute("RESET lock_timeout")
    statistics.heal(counted, None)
    assert statistics.find_differences(counted, None) == []
