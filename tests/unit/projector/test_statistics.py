"""The statistics are compared with their leads, and mended where they differ."""

import pytest

from projector.core import pipeline
from projector.core.refresh import refresh
from projector.database import locks
from projector.database.schema import key_columns, table_columns
from projector.report.errors import BlockedError
from projector.report.progress import QUIET
from projector.sweep import statistics
from projector.sweep.statistics import StatisticsDifference
from tests.support.running import value, write_conversations, write_message
from tests.support.server import Database
from tests.unit.projector.rebuild.contents import STATISTICS, rows
from tests.unit.projector.recovering import Connection

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


@pytest.mark.parametrize("table", STATISTICS)
def test_a_wrong_number_is_found_with_its_key_and_both_numbers(counted: Connection, table: str) -> None:
    before = contents(counted)
    for number in [column for column in table_columns(table) if column not in key_columns(table)]:
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


@pytest.mark.parametrize("table", STATISTICS)
def test_rows_that_are_missing_or_too_many_are_mended(counted: Connection, table: str) -> None:
    before = contents(counted)
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
    assert (found.user_id, found.day) == ("u", None)
    assert (found.expected["on_whatsapp"], found.found["on_whatsapp"]) == (4, 0)
    days = versions(counted)["lead_daily_counts"]
    statistics.heal(counted, None)
    assert contents(counted) == before
    assert versions(counted)["lead_daily_counts"] == days


@pytest.mark.parametrize(
    ("granularity", "start"),
    [
        ("all", "2025-03-01"),
        ("day", "-infinity"),
        ("hour", "-infinity"),
        ("hour", "infinity"),
        ("day", "0044-03-15 00:00:00+00 BC"),
        ("hour", "10000-01-01 10:00:00+00"),
    ],
)
def test_a_row_that_never_could_be_is_deleted(counted: Connection, granularity: str, start: str) -> None:
    before = contents(counted)
    counted.execute(
        "INSERT INTO read_model.lead_totals VALUES ('u', %s, %s, 5, 1, 1, 1, 1, 1, 1, 1, 1)",
        (granularity, start),
    )
    [found] = statistics.find_differences(counted, None)
    assert found.found["leads"] == 5
    assert set(found.expected.values()) == {0}
    statistics.heal(counted, None)
    assert contents(counted) == before


@pytest.mark.parametrize("day", ["-infinity", "infinity", "0044-03-15 BC", "10000-01-01"])
def test_a_day_that_never_could_be_is_deleted(counted: Connection, day: str) -> None:
    before = contents(counted)
    counted.execute(
        "INSERT INTO read_model.lead_daily_counts VALUES ('u', %s, 'Hot', 1, true, true, true, true, true, 5)",
        (day,),
    )
    statistics.heal(counted, None)
    assert contents(counted) == before


def test_rows_of_zero_leads_are_deleted(counted: Connection) -> None:
    before = contents(counted)
    counted.execute(
        "INSERT INTO read_model.lead_totals VALUES ('u', 'day', '2001-01-01', 0, 1, 0, 0, 0, 0, 0, 0, 0)"
    )
    statistics.heal(counted, None)
    assert contents(counted) == before


def test_only_what_differs_is_written_day_by_day(
    counted: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted.execute("UPDATE read_model.lead_daily_counts SET leads = 7 WHERE day = '2025-03-02'")
    counted.execute(
        "UPDATE read_model.lead_totals SET hot = 7 WHERE granularity = 'hour' AND bucket_start < '2025-03-02'"
    )
    before = versions(counted)
    transactions: list[tuple[str, object]] = []
    original = pipeline.run_steps

    def note(conn: Connection, found: object, parameters: dict[str, object]) -> object:
        # A tenant is locked while something of it is written, and no longer.
        held = value(
            other, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s", locks.TENANT
        )
        transactions.append((str(parameters.get("day", "tenant")), held))
        return original(conn, found, parameters)  # type: ignore[arg-type]

    differences = statistics.find_differences(counted, None)
    monkeypatch.setattr(statistics, "find_differences", lambda _conn, _tenants: differences)
    monkeypatch.setattr(pipeline, "run_steps", note)
    statistics.heal(counted, None)
    monkeypatch.undo()
    assert transactions == [("2025-03-01", 1), ("2025-03-02", 1), ("tenant", 1)]
    assert statistics.find_differences(counted, None) == []
    after = versions(counted)
    assert after["lead_counts"] == before["lead_counts"]
    unchanged = set(before["lead_daily_counts"]) & set(after["lead_daily_counts"])
    assert len(unchanged) == len(before["lead_daily_counts"]) - 1
    unchanged = set(before["lead_totals"]) & set(after["lead_totals"])
    assert len(unchanged) == len(before["lead_totals"]) - 2


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


@pytest.mark.parametrize(
    ("key", "day"),
    [
        ({"user_id": "u", "day": "2025-01-31"}, "2025-01-31"),
        ({"user_id": "u", "granularity": "hour", "bucket_start": "2025-01-31 10:00:00+00"}, "2025-01-31"),
        ({"user_id": "u", "granularity": "all", "bucket_start": "-infinity"}, None),
        ({"user_id": "u", "granularity": "hour", "bucket_start": "infinity"}, None),
        (
            {"user_id": "u", "granularity": "hour", "bucket_start": "0044-03-15 10:00:00+00 BC"},
            "0044-03-15 BC",
        ),
        ({"user_id": "u", "day": "infinity"}, "infinity"),
        ({"user_id": "u", "lead_status": None}, None),
    ],
)
def test_the_day_of_a_difference(key: dict[str, str | None], day: str | None) -> None:
    found = StatisticsDifference("any", key, {}, {})
    assert (found.user_id, found.day) == ("u", day)


def test_a_row_of_no_leads_that_a_killed_heal_left_is_deleted(
    counted: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(counted)
    user_id = value(counted, "SELECT min(user_id) FROM read_model.lead_daily_counts")
    counted.execute(
        "INSERT INTO read_model.lead_daily_counts VALUES"
        " (%s, '1999-01-01', NULL, NULL, false, false, false, false, false, 7)",
        (user_id,),
    )
    heal = statistics._heal  # noqa: SLF001  # The kill comes between its two calls.

    def heal_days_only(conn: Connection, folder: str, parameters: dict[str, str]) -> None:
        if folder.endswith("tenant"):
            raise KeyboardInterrupt
        heal(conn, folder, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(statistics, "_heal", heal_days_only)
        with pytest.raises(KeyboardInterrupt):
            statistics.heal(counted, None)
    assert value(counted, "SELECT count(*) FROM read_model.lead_daily_counts WHERE leads = 0") == 1
    statistics.heal(counted, None)
    assert contents(counted) == before
