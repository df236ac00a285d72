"""The names of tenants: whatever happens to the rows of `users`, the read model has the names that they say."""

import pytest

from projector.database.locks import SHARDS
from projector.database.rows import Connection
from projector.operate.erase import erase
from projector.operate.erase.ledger import Target
from projector.report.progress import QUIET
from projector.sweep import rolling
from projector.sweep.rebuild import rebuild
from projector.sweep.verify import verify
from tests.exactness.interleaving import Stepped, batch_of, wait_for, waits_for_lock
from tests.exactness.platform import (
    Platform,
    assert_exact,
    assert_verified,
    put_back,
    refresh_now,
    shard_of,
    value,
)
from tests.support.cases import cases
from tests.support.points import at_points

MANY = "INSERT INTO users (user_id, company_name) SELECT 'u' || n, 'Company ' || n FROM generate_series(1, 250) AS n"
CHANGES = {
    "a name": "UPDATE users SET company_name = ' Acme  '",
    "a blank": "UPDATE users SET company_name = E' \\t'",
    "a tenant without leads": "INSERT INTO users (user_id, company_name) VALUES ('two', 'Zwei GmbH')",
    "another id": f"{MANY}; UPDATE users SET user_id = 'other' WHERE user_id = 'u7'",
    "many": MANY,
    "many renamed": f"{MANY}; UPDATE users SET company_name = 'Renamed ' || user_id",
    "gone": f"{MANY}; DELETE FROM users WHERE user_id <> 'u5'",
    "truncated": f"{MANY}; TRUNCATE users CASCADE; INSERT INTO users (user_id, company_name) VALUES ('u3', 'Again')",
}
WRONG = {
    "another name": "UPDATE read_model.tenant_names SET name = 'Wrong' WHERE user_id = 'one'",
    "no name": "DELETE FROM read_model.tenant_names",
    "too many": "INSERT INTO read_model.tenant_names VALUES ('nobody', 'Nobody')",
}


@pytest.fixture
def named(filled: Platform) -> Connection:
    """The connection of a platform whose one tenant has a name."""
    filled.conn.execute("UPDATE users SET company_name = 'Eins AG'")
    refresh_now(filled.conn)
    assert value(filled.conn, "SELECT name FROM read_model.tenant_names") == "Eins AG"
    return filled.conn


@cases(("name", "role"), [*((name, "origin") for name in CHANGES), ("many renamed", "replica")])
def test_a_refresh_follows_each_change(named: Connection, name: str, role: str) -> None:
    put_back(named)
    for command in CHANGES[name].split(";"):
        named.execute(f"SET session_replication_role = {role}".encode())
        named.execute(command.encode())
        named.execute("SET session_replication_role = origin")
        if name != "truncated":
            refresh_now(named)
    refresh_now(named)
    assert_verified(named)


def test_a_truncation_forgets_no_name_that_came_after_it(filled: Platform) -> None:
    """One batch has compared the names of all when the other, which has the new name, is about to write it."""
    conn = filled.conn
    truncation = shard_of(conn, "tenants")
    user_id = filled.id("user", shard=(truncation + 1) % 4)
    filled.insert("users", user_id=user_id, company_name="Same")
    refresh_now(conn)
    conn.execute("TRUNCATE users CASCADE")
    # What was truncated with it would have one batch wait for the tenants of the other.
    for shard in {*SHARDS} - {truncation}:
        batch_of(conn, shard)
    with Stepped(filled.database, lambda own: batch_of(own, truncation), "names") as forgetting:
        filled.insert("users", user_id=user_id, company_name="Same")
        with Stepped(filled.database, lambda own: batch_of(own, shard_of(conn, user_id))) as naming:
            wait_for(lambda: naming.ends() or waits_for_lock(conn, naming.pid))
            forgetting.finish()
    refresh_now(conn)
    assert value(conn, "SELECT name FROM read_model.tenant_names WHERE user_id = %s", user_id) == "Same"
    assert_exact(conn)


@cases("name", WRONG)
def test_what_is_wrong_is_found_healed_and_rebuilt(named: Connection, name: str) -> None:
    for heals in (True, False):
        named.execute(WRONG[name].encode())
        report = verify(named, tenants=None, sample=None, heal=heals, progress=QUIET)
        assert [drift.field for drift in report.drifts] == ["tenant name"]
        if not heals:
            rebuild(named, tenants=None, progress=QUIET)
        assert_exact(named)
        assert_verified(named)


def test_the_rolling_verify_has_the_names_of_tenants_without_leads(named: Connection) -> None:
    named.execute("INSERT INTO users (user_id, company_name) VALUES ('two', 'Zwei GmbH')")
    refresh_now(named)
    named.execute("UPDATE read_model.tenant_names SET name = 'Wrong' WHERE user_id = 'two'")
    named.execute("UPDATE users SET company_name = 'Waits' WHERE user_id = 'one'")
    while value(named, "SELECT count(*) FROM projector.verify_rounds WHERE finished_at IS NOT NULL") == 0:
        rolling.step(named, 1e-9)
    open_drift = named.execute("SELECT user_id, first_field FROM projector.drift").fetchall()
    assert open_drift == [("two", "tenant name")]


def test_an_erasure_keeps_what_waits_of_others(named: Connection) -> None:
    named.execute("INSERT INTO users (user_id, company_name) VALUES ('two', 'Zwei GmbH'), ('three', 'Drei')")
    refresh_now(named)
    named.execute("DELETE FROM users WHERE user_id = 'one'")

    def rename(point: str) -> None:
        if point == "rows":
            return
        named.execute("UPDATE users SET company_name = 'Renamed' WHERE user_id = 'two'")
        named.execute("DELETE FROM users WHERE user_id = 'three'")

    with at_points(rename):
        erase(named, Target("one"), progress=QUIET)
    refresh_now(named)
    assert_exact(named)
    assert named.execute("SELECT * FROM read_model.tenant_names").fetchall() == [("two", "Renamed")]
