"""Keys that fail alone: they are found, set aside with their error, and tried again."""

from collections.abc import Sequence

import psycopg
import pytest

from projector.core.dead_letters import (
    Letter,
    Retried,
    UntriedLetters,
    find_letters,
    retry_dead_letters,
    retry_letters,
    set_aside_untried,
)
from projector.core.refresh import refresh
from projector.database.sql import query
from projector.report.progress import QUIET
from tests.support.running import value, write_conversations, write_source
from tests.support.server import Database
from tests.unit.projector.recovering import Connection

REFUSE = "ALTER TABLE read_model.leads ADD CONSTRAINT refused CHECK (customer_phone <> '49151000002')"
ALLOW = "ALTER TABLE read_model.leads DROP CONSTRAINT refused"
LETTERS = "SELECT kind, key, user_id, customer_phone, attempts FROM projector.dead_letters ORDER BY kind, key"


class Failure(psycopg.errors.CheckViolation):
    """The data of a lead break a rule."""

    sqlstate = "23514"


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
    first = find_letters(built, due_only=True, limit=10)
    assert retry_letters(built, first) == Retried(10, 0)
    # Their conversations are gone, so that they end by being tried.
    left = other.execute("SELECT user_id, count(*) FROM projector.dead_letters GROUP BY user_id").fetchall()
    assert left == [("many", 21)]
    assert retry_dead_letters(built, due_only=True) == Retried(21, 0)


def test_a_refresh_takes_new_changes_between_dead_letters(
    built: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_aside(other, "many", 25)
    seen = []

    def retry(conn: Connection, some: Sequence[Letter]) -> Retried:
        seen.append((len(some), value(other, "SELECT count(*) FROM read_model.leads")))
        write_conversations(other, 1, first=len(seen) + 1)
        return retry_letters(conn, some)

    monkeypatch.setattr("projector.core.refresh.retry_letters", retry)
    report = refresh(built, retry_failed=False, progress=QUIET)
    assert seen == [(10, 1), (10, 2), (5, 3)]
    assert report.notes == ("dead letters tried again: 25; none failed again",)


def test_letters_that_were_set_aside_together_are_tried_in_groups(
    refusing: Connection, other: Connection
) -> None:
    write_conversations(other, 400, first=2)
    keys = [f"c-u-{number}" for number in range(2, 402)]
    other.execute("DELETE FROM projector.changes")
    with other.transaction():
        set_aside_untried(other, "reload_conversations", keys, psycopg.errors.CheckViolation("refused"))
    assert find_letters(refusing, due_only=True) == []
    turns = UntriedLetters()
    count = 1
    while turns.take_turn(refusing):
        count += 1
    # Of 400, one fails alone. Each turn is ten tries.
    assert count <= 3
    assert letters(refusing) == [("reload_conversations", "c-u-2", "u", "49151000002", 1)]
    assert value(refusing, "SELECT count(*) FROM read_model.leads") == 400


@pytest.mark.usefixtures("built")
def test_untried_letters_of_a_tenant_with_few_come_first(other: Connection) -> None:
    write_source(other, "few")
    set_aside(other, "many", 25)
    other.execute("UPDATE projector.dead_letters SET attempts = 0")
    other.execute("DELETE FROM projector.changes")
    with other.transaction():
        set_aside_untried(
            other, "reload_conversations", ["c-few-1"], psycopg.errors.CheckViolation("refused")
        )
    first = other.execute(query("core", "find_untried"), {"limit": 500}).fetchall()
    assert first == [("reload_conversations", "c-few-1")]


def test_an_untried_letter_that_another_session_has_in_hand_is_left_to_it(
    database: Database, refusing: Connection, other: Connection
) -> None:
    set_aside(other, "u", 1)
    other.execute("UPDATE projector.dead_letters SET attempts = 0")
    with database.connect() as busy, busy.transaction():
        busy.execute("SELECT FROM projector.dead_letters FOR UPDATE")
        assert not UntriedLetters().take_turn(refusing)
    UntriedLetters().take_turn(refusing)
    assert letters(refusing) == []


def test_a_letter_of_a_key_that_was_erased_meanwhile_is_gone_after_a_failure(
    refusing: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_aside(other, "u", 1)
    other.execute("UPDATE projector.dead_letters SET attempts = 0")

    def fail(*_arguments: object, **_options: object) -> None:
        raise Failure("refused")

    monkeypatch.setattr("projector.core.dead_letters.recompute", fail)
    turns = UntriedLetters()
    while turns.take_turn(refusing):
        pass
    assert letters(refusing) == []
