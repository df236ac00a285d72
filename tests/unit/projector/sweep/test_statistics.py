"""The statistics are compared with their leads, and mended where they differ."""

import pytest

from projector.core.refresh import refresh
from projector.database import locks
from projector.database.schema import key_columns, table_columns
from projector.report.errors import BlockedError
from projector.report.progress import QUIET
from projector.sweep import statistics
from tests.support.running import value, write_conversations, write_message
from tests.support.server import Database
from tests.unit.projector.recovering import Connection
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
    refresh(built, retry_failed=False, progress=QUIET)
    assert value(
        built, "SELECT last_message_at IS NULL FROM read_model.leads WHERE customer_phone = %s", NEVER
    )
    assert statistics.find_differences(built, None) == []
    return built


def contents(conn: Connection) -> dict[str, list[str]]:
    return {table: rows(conn, f"read_model.{table}") for table in STATISTICS}


def versions(conn: Connection) -> dict[str, list[str]]:
    return {table: rows(conn, f"read_model.{table}", columns=", xmin, ctid") for table in STATISTICS}


NUMBERS = [
    (table, number)
    for table in STATISTICS
    for number in table_columns(table)
    if number not in key_columns(table)
]


def test_a_wrong_number_is_found_with_its_key_and_both_numbers(counted: Connection) -> None:
    before = contents(counted)
    for table, number in NUMBERS:
        key = counted.execute(
            f"UPDATE read_model.{table} SET {number} = {number} + 2"
            f" WHERE ctid = (SELECT max(ctid) FROM read_model.{table})"
            f" RETURNING ARRAY[{', '.join(f'{column}::text' for column in key_columns(table))}]".encode()
        ).fetchone()
        assert key is not None
        [found] = statistics.find_differences(counted, None)
        assert found.table == table
        assert found.key == dict(zip(key_columns(table), key[0], strict=True))
        assert {name: found.found[name] - found.expected[name] for name in found.expected} == {
            name: 2 if name == number else 0 for name in found.expected
        }
        statistics.heal(counted, None)
        assert contents(counted) == before


def test_rows_that_are_missing_or_too_many_are_mended(counted: Connection) -> None:
    before = contents(counted)
    for table in STATISTICS:
        counted.execute(f"DELETE FROM read_model.{table}".encode())
        found = statistics.find_differences(counted, ["u"])
        assert {difference.table for difference in found} == {table}
        assert all(set(difference.found.values()) == {0} for difference in found)
        assert len(found) == len(before[table])
        statistics.heal(counted, ["u"])
        assert contents(counted) == before
        moved = "day = day + 100" if table == "lead_daily_counts" else "user_id = 'nobody'"
        counted.execute(f"UPDATE read_model.{table} SET {moved}".encode())
        statistics.heal(counted, None)
        assert contents(counted) == before


def test_the_row_of_all_leads_is_mended_alone(counted: Connection) -> None:
    before = contents(counted)
    counted.execute("UPDATE read_model.lead_totals SET on_whatsapp = 0 WHERE granularity = 'all'")
    [found] = statistics.find_differences(counted, None)
    # Its start lies before what a client can hold.
    assert found.key == {"user_id": "u", "granularity": "all", "bucket_start": "-infinity"}
    assert (found.expected["on_whatsapp"], found.found["on_whatsapp"]) == (4, 0)
    days = versions(counted)["lead_daily_counts"]
    statistics.heal(counted, None)
    assert contents(counted) == before
    assert versions(counted)["lead_daily_counts"] == days


def test_rows_that_never_could_be_and_rows_of_no_leads_are_deleted(counted: Connection) -> None:
    before = contents(counted)
    totals = "INSERT INTO read_model.lead_totals VALUES ('u', '{}', '{}', {}, 1, 1, 1, 1, 1, 1, 1, 1)"
    days = "INSERT INTO read_model.lead_daily_counts VALUES ('u', '{}', 'Hot', 1, true, true, true, true, true, 5)"
    wrong = [
        totals.format("all", "2025-03-01", 5),
        totals.format("day", "-infinity", 5),
        totals.format("hour", "infinity", 5),
        totals.format("day", "0044-03-15 00:00:00+00 BC", 5),
        totals.format("hour", "10000-01-01 10:00:00+00", 5),
        totals.format("day", "2001-01-01", 0),
        *(days.format(day) for day in ("-infinity", "infinity", "0044-03-15 BC", "10000-01-01")),
    ]
    for statement in wrong:
        counted.execute(statement.encode())
        [found] = statistics.find_differences(counted, None)
        assert found.found["leads"] in (5, 0)
        assert set(found.expected.values()) == {0}
        statistics.heal(counted, None)
        assert contents(counted) == before, statement


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
    changed = {table: len(set(found) - set(before[table])) for table, found in versions(counted).items()}
    assert changed == {"lead_counts": 0, "lead_daily_counts": 1, "lead_totals": 2}


def test_what_is_refreshed_between_the_comparison_and_the_correction_is_counted(
    counted: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted.execute("UPDATE read_model.lead_totals SET leads = leads + 5, hot = 2")
    counted.execute("DELETE FROM read_model.lead_daily_counts")
    find, times = statistics.find_differences, []

    def find_and_refresh(conn: Connection, tenants: None) -> list[statistics.StatisticsDifference]:
        found = find(conn, tenants)
        times.append(len(found))
        if len(times) == 1:
            write_message(other, "m9")
            refresh(counted, retry_failed=False, progress=QUIET)
        return found

    monkeypatch.setattr(statistics, "find_differences", find_and_refresh)
    statistics.heal(counted, None)
    assert times[1:] == [0]
    assert find(counted, None) == []


def test_another_tenant_is_left_alone(counted: Connection) -> None:
    counted.execute(
        "INSERT INTO read_model.lead_totals VALUES ('v', 'all', '-infinity', 5, 1, 1, 1, 1, 1, 1, 1, 1)"
    )
    assert statistics.find_differences(counted, ["u"]) == []
    statistics.heal(counted, ["u"])
    [found] = statistics.find_differences(counted, None)
    assert found.user_id == "v"
    statistics.heal(counted, None)
    assert statistics.find_differences(counted, None) == []


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
