"""What made a batch fail is found, set aside with its error and tried again, and all others go on."""

from collections.abc import Sequence

import pytest

from projector.core import pipeline
from projector.core.batch import count_dead_letters
from projector.core.dead_letters import DeadLetter, retry_all_dead_letters, retry_dead_letters
from projector.core.late import LateKeys
from projector.core.refresh import refresh
from projector.database.rows import Connection
from projector.report.progress import QUIET
from tests.exactness.interleaving import Stepped
from tests.support.running import value, write_conversations
from tests.support.server import Database

REFUSE = "ALTER TABLE read_model.leads ADD CONSTRAINT refused CHECK (customer_phone <> '49151000002')"
ALLOW = "ALTER TABLE read_model.leads DROP CONSTRAINT refused"
LETTERS = "SELECT kind, key, user_id, customer_phone, attempts FROM projector.dead_letters ORDER BY kind, key"


def refresh_now(conn: Connection) -> None:
    refresh(conn, retry_failed=False, progress=QUIET)


def letters(conn: Connection) -> list[tuple[object, ...]]:
    return conn.execute(LETTERS).fetchall()


@pytest.fixture
def refusing(built: Connection, other: Connection) -> Connection:
    """A read model that refuses the lead 49151000002."""
    other.execute(REFUSE.encode())
    pipeline.prepare_session(built)
    return built


def test_a_letter_that_another_refresh_has_in_hand_is_left_to_it(
    database: Database, refusing: Connection, other: Connection
) -> None:
    write_conversations(other, 1, first=2)
    refresh_now(refusing)
    other.execute(ALLOW.encode())
    with database.connect() as busy, busy.transaction():
        busy.execute("SELECT FROM projector.dead_letters FOR UPDATE")
        retry_all_dead_letters(refusing)
        assert value(other, "SELECT attempts FROM projector.dead_letters") == 1
    retry_all_dead_letters(refusing)
    assert letters(refusing) == []


def set_aside(conn: Connection, tenant: str, count: int) -> None:
    """So many dead letters of a tenant, all of them due."""
    conn.execute(
        "INSERT INTO projector.dead_letters (kind, key, user_id, error, attempts, first_failed_at, retry_at)"
        " SELECT 'reload_conversations', %(tenant)s || n, %(tenant)s, 'a reason', 1, now(), now() - interval '1 hour'"
        " FROM generate_series(1, %(count)s) AS n",
        {"tenant": tenant, "count": count},
    )


def test_a_refresh_takes_new_changes_between_dead_letters(
    built: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_aside(other, "many", 25)
    seen = []

    def retry(conn: Connection, some: Sequence[DeadLetter], *, patient: bool) -> int:
        seen.append((len(some), value(other, "SELECT count(*) FROM read_model.leads")))
        write_conversations(other, 1, first=len(seen) + 1)
        return retry_dead_letters(conn, some, patient=patient)

    monkeypatch.setattr("projector.core.refresh.retry_dead_letters", retry)
    report = refresh(built, retry_failed=False, progress=QUIET)
    assert seen == [(10, 1), (10, 2), (5, 3)]
    assert report.notes == ("dead letters tried again: 25; none failed again",)


def test_a_lead_that_fails_at_the_end_of_a_refresh_is_left_to_the_late_keys(
    refusing: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was committed since the refresh began."""
    real = LateKeys.end

    def end(late: LateKeys, conn: Connection, *, wait: bool = False) -> None:
        write_conversations(other, 1, first=2)
        real(late, conn, wait=wait)

    monkeypatch.setattr(LateKeys, "end", end)
    # After a mass change the queue is looked at once more.
    write_conversations(other, 150, first=10)
    refresh_now(refusing)
    assert value(other, "SELECT count(*) FROM projector.late_keys") == 1


def test_two_sessions_that_set_aside_at_once_count_both(
    database: Database, built: Connection, other: Connection
) -> None:
    built.execute("INSERT INTO read_model.tenants (user_id) VALUES ('a'), ('b')")

    def work(conn: Connection) -> None:
        with conn.transaction():
            set_aside(conn, "b", 1)
            count_dead_letters(conn)

    other.execute("BEGIN")
    other.execute("SELECT FROM read_model.tenants WHERE user_id = 'b' FOR UPDATE")
    with database.connect() as first:
        first.execute("BEGIN")
        set_aside(first, "a", 1)
        count_dead_letters(first)
        with Stepped(database, work) as second:
            second.waits(built)
            first.execute("COMMIT")
            other.execute("COMMIT")
            second.finish()
    counts = built.execute("SELECT user_id, dead_letters FROM read_model.tenants WHERE user_id IN ('a', 'b')")
    assert dict(counts.fetchall()) == {"a": 1, "b": 1}
