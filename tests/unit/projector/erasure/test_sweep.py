"""Parts of an erasure's sweep; tests/unit/projector/operate/erase/test_erasure.py has what it deletes as a whole."""

import pytest

from projector.database.rows import Connection
from projector.operate import erase as erasure
from projector.operate.erase import erase, mention
from projector.operate.erase.ledger import Target
from projector.report.progress import QUIET
from tests.support.points import at_points
from tests.support.running import value
from tests.unit.projector.erasure import world


@pytest.mark.parametrize(
    ("name", "text", "is_meant"),
    [
        ("4915", "customer 4915 of u", True),
        ("4915", "4915", True),
        ("4915", "customer 49151 of u", False),
        ("u", "customer 4915 of u: bad", True),
        ("u", "customer 4915 of user", False),
        ("a.b+c(d)\\1$", "of a.b+c(d)\\1$.", True),
        ("a.b", "axb", False),
        ("münchen", "of münchen", True),
        ("_x_", "of _x_,", True),
    ],
)
def test_a_mention_is_no_part_of_a_word(
    connection: Connection, name: str, text: str, *, is_meant: bool
) -> None:
    assert value(connection, "SELECT %s::text ~ %s", text, mention(name)) is is_meant


def test_the_positions_of_a_round_and_of_a_rebuild_move_back(
    connection: Connection, other: Connection
) -> None:
    world.built_world(connection, other)
    world.delete_tenant(other)
    for phase, first, second in (
        ("leads", "needle-tenant", world.PHONE),
        ("statistics", "needle-tenant", ""),
        ("keys", "contact", "needle-contact"),
        ("template_send", "", "needle-send"),
    ):
        other.execute(
            "INSERT INTO projector.sweep_positions (purpose, version, phase, after_first, after_second)"
            " VALUES ('rebuild', 'v', 'leads', 'needle-tenant', %s), ('verify', 'v', %s, %s, %s)",
            (world.PHONE, phase, first, second),
        )
        erase(connection, Target(world.ERASED_TENANT), progress=QUIET)
        positions = "SELECT DISTINCT after_first || after_second FROM projector.sweep_positions"
        assert other.execute(positions).fetchall() == [("",)], phase
        other.execute("DELETE FROM projector.sweep_positions")


@pytest.mark.parametrize("phone", [None, world.PHONE])
def test_what_it_deletes_moves_the_version_of_the_tenant(
    connection: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch, phone: str | None
) -> None:
    world.built_world(connection, other)
    seen = []

    def look(point: str) -> None:
        if point == "rows":
            seen.append(other.execute("SELECT version, version_id FROM read_model.tenants").fetchall())

    world.delete_tenant(other)
    # As if a batch had written the rows once more after the leads were recomputed.
    monkeypatch.setattr(erasure, "rebuild_leads", lambda *_: [])
    monkeypatch.setattr(erasure, "ROWS_PER_TRANSACTION", 1)
    monkeypatch.setattr(erasure, "_drain", lambda *_: None)
    before = other.execute("SELECT version, version_id FROM read_model.tenants").fetchall()
    with at_points(look):
        erase(connection, Target(world.ERASED_TENANT, phone), progress=QUIET)
    assert len(seen) > 3
    for state in seen:
        assert state != before
        before = state
    left = value(other, "SELECT count(*) FROM read_model.tenants WHERE user_id = %s", world.ERASED_TENANT)
    assert left == int(phone is not None)
