"""Keys that fail alone: they are found, set aside with their error, and tried again."""

import pytest

from projector import locks
from projector.batch import refresh_batch
from projector.dead_letters import Retried, isolate_failing_key, retry_dead_letters
from projector.errors import CaptureGapError
from projector.progress import QUIET
from projector.refresh import refresh
from tests.projector.recovering import Connection
from tests.support.running import value, write_conversations, write_message
from tests.support.server import Database

REFUSE = "ALTER TABLE read_model.leads ADD CONSTRAINT refused CHECK (customer_phone <> '49151000002')"
ALLOW = "ALTER TABLE read_model.leads DROP CONSTRAINT refused"
LETTERS = "SELECT kind, key, user_id, customer_phone, attempts FROM projector.dead_letters ORDER BY kind, key"


def refresh_now(conn: Connection, *, retry_failed: bool = False) -> None:
    refresh(conn, retry_failed=retry_failed, progress=QUIET)


def letters(conn: Connection) -> list[tuple[object, ...]]:
    return conn.execute(LETTERS).fetchall()


@pytest.fixture
def refusing(built: Connection, other: Connection) -> Connection:
    """A read model that refuses the lead 49151000002."""
    other.execute(REFUSE.encode())
    return built


def test_a_key_that_fails_alone_is_set_aside_with_error_and_step(
    refusing: Connection, other: Connection
) -> None:
    write_conversations(other, 1, first=2)
    refresh_now(refusing)
    assert letters(refusing) == [("reload_conversations", "c-u-2", "u", "49151000002", 1)]
    error = value(refusing, "SELECT error FROM projector.dead_letters")
    assert 'violates check constraint "refused"' in error
    assert error.endswith("(sql/refresh/8_write_leads/40_upsert_leads.sql)")
    assert value(refusing, "SELECT count(*) FROM projector.changes") == 0
    assert value(refusing, "SELECT dead_letters FROM read_model.tenants") == 1


def test_of_a_mass_change_only_the_key_that_fails_is_set_aside(
    refusing: Connection, other: Connection
) -> None:
    # So many rows of one statement are one row of the queue for each shard.
    write_conversations(other, 60, first=2)
    assert value(other, "SELECT max(cardinality(keys)) FROM projector.changes") > 8
    refresh_now(refusing)
    assert letters(refusing) == [("reload_conversations", "c-u-2", "u", "49151000002", 1)]
    assert value(refusing, "SELECT count(*) FROM read_model.leads") == 60


def test_a_change_that_fails_is_split_into_eight_and_its_parts_keep_its_time(
    refusing: Connection, other: Connection
) -> None:
    write_conversations(other, 60, first=2)
    shard = value(other, "SELECT shard FROM projector.changes WHERE 'c-u-2' = any(keys)")
    keys, queued_at = other.execute(
        "SELECT keys, queued_at FROM projector.changes WHERE shard = %s", (shard,)
    ).fetchone() or ([], None)
    refresh_batch(refusing, [number for number in locks.SHARDS if number != shard])
    before = value(other, "SELECT count(*) FROM read_model.leads")
    isolate_failing_key(refusing, shard, wait=True)
    parts = other.execute("SELECT keys, queued_at, bulk FROM projector.changes").fetchall()
    # The first of the parts does not fail, and is done at once.
    done = value(other, "SELECT count(*) FROM read_model.leads") - before
    assert len(parts) == 7
    left = {key for part in parts for key in part[0]}
    assert left < set(keys)
    assert len(keys) == len(left) + done
    assert {part[1:] for part in parts} == {(queued_at, True)}
    assert letters(refusing) == []


def test_an_oldest_change_that_does_not_fail_is_just_done(built: Connection, other: Connection) -> None:
    write_message(other, "m1")
    shard = value(other, "SELECT shard FROM projector.changes")
    isolate_failing_key(built, shard, wait=True)
    assert value(built, "SELECT count(*) FROM read_model.lead_messages") == 1
    assert letters(built) == []


def test_only_letters_that_are_due_are_tried_and_each_failure_doubles_the_pause(
    refusing: Connection, other: Connection
) -> None:
    write_conversations(other, 1, first=2)
    refresh_now(refusing)
    assert retry_dead_letters(refusing, due_only=True) == Retried(0, 0)
    pauses = []
    for attempts in (1, 2, 3):
        pause = "SELECT round(extract(epoch FROM retry_at - clock_timestamp())) FROM projector.dead_letters"
        pauses.append(int(value(other, pause)))
        assert value(other, "SELECT attempts FROM projector.dead_letters") == attempts
        assert retry_dead_letters(refusing, due_only=False) == Retried(1, 1)
    assert pauses == [10, 20, 40]
    other.execute("UPDATE projector.dead_letters SET attempts = 1000, retry_at = clock_timestamp()")
    assert retry_dead_letters(refusing, due_only=True) == Retried(1, 1)
    assert value(
        other, "SELECT retry_at <= clock_timestamp() + interval '1 hour' FROM projector.dead_letters"
    )
    other.execute(ALLOW.encode())
    refresh_now(refusing, retry_failed=True)
    assert letters(refusing) == []
    assert value(refusing, "SELECT count(*) FROM read_model.leads") == 2
    assert value(refusing, "SELECT dead_letters FROM read_model.tenants") == 0


def test_a_letter_is_gone_as_soon_as_a_change_of_its_lead_succeeds(
    refusing: Connection, other: Connection
) -> None:
    write_conversations(other, 1, first=2)
    refresh_now(refusing)
    other.execute(ALLOW.encode())
    assert retry_dead_letters(refusing, due_only=False) == Retried(1, 0)
    assert letters(refusing) == []


def test_a_letter_that_another_refresh_has_in_hand_is_left_to_it(
    database: Database, refusing: Connection, other: Connection
) -> None:
    write_conversations(other, 1, first=2)
    refresh_now(refusing)
    other.execute(ALLOW.encode())
    with database.connect() as busy, busy.transaction():
        busy.execute("SELECT FROM projector.dead_letters FOR UPDATE")
        retry_dead_letters(refusing, due_only=False)
        assert value(other, "SELECT attempts FROM projector.dead_letters") == 1
    retry_dead_letters(refusing, due_only=False)
    assert letters(refusing) == []


@pytest.mark.parametrize(
    ("table", "kind", "row"),
    [
        (
            "contacts",
            "contacts",
            "INSERT INTO contacts (contact_id, user_id, phone, name) VALUES ('k', 'u', '49151000002', 'Ann')",
        ),
        (
            "template_sends",
            "template_sends",
            (
                "INSERT INTO templates (template_id, user_id, phone_number_id) VALUES ('t', 'u', 'p-u');"
                " INSERT INTO template_sends (send_id, template_id, customer_phone, status)"
                " VALUES ('k', 't', '49151000002', 'SENT')"
            ),
        ),
    ],
)
def test_a_letter_has_the_kind_of_its_key(
    built: Connection, other: Connection, table: str, kind: str, row: str
) -> None:
    write_conversations(other, 1, first=2)
    refresh_now(built)
    for name in ("leads", "lead_profiles"):
        other.execute(
            f"ALTER TABLE read_model.{name} ADD CONSTRAINT refused_{name}"
            " CHECK (customer_phone <> '49151000002') NOT VALID".encode()
        )
    other.execute(row.encode())
    refresh_now(built)
    assert letters(built) == [(kind, "k", "u", "49151000002", 1)], table


def test_a_failure_that_no_lead_is_to_blame_for_is_raised(built: Connection, other: Connection) -> None:
    write_message(other, "m1")
    other.execute("ALTER TABLE messages DISABLE TRIGGER leads_capture_insert")
    with pytest.raises(CaptureGapError):
        isolate_failing_key(built, value(other, "SELECT shard FROM projector.changes"), wait=True)
    assert value(built, "SELECT count(*) FROM projector.changes") == 1


def set_aside(conn: Connection, tenant: str, count: int) -> None:
    """So many dead letters of a tenant, all of them due."""
    conn.execute(
        "INSERT INTO projector.dead_letters (kind, key, user_id, error, attempts, first_failed_at, retry_at)"
        " SELECT 'reload_conversations', %(tenant)s || n, %(tenant)s, 'a reason', 1, now(), now() - interval '1 hour'"
        " FROM generate_series(1, %(count)s) AS n",
        {"tenant": tenant, "count": count},
    )


def test_the_letters_of_one_tenant_keep_no_other_waiting(built: Connection, other: Connection) -> None:
    set_aside(other, "many", 30)
    set_aside(other, "few", 1)
    assert retry_dead_letters(built, due_only=True, limit=10) == Retried(10, 0)
    # Their conversations are gone, so that they end by being tried.
    left = other.execute("SELECT user_id, count(*) FROM projector.dead_letters GROUP BY user_id").fetchall()
    assert left == [("many", 21)]
    assert retry_dead_letters(built, due_only=True) == Retried(21, 0)
