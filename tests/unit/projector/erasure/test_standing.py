"""Which rows of the source would bring back a tenant or a lead."""

import pytest

from projector.operate.erase.standing import (
    StandingRows,
    Target,
    find_standing_rows,
    require_no_standing_rows,
)
from projector.report.errors import ErasureRefusedError
from tests.unit.projector.erasure import world
from tests.unit.projector.recovering import Connection

TENANT = Target(world.ERASED_TENANT)
LEAD = Target(world.ERASED_TENANT, world.PHONE)
OF_LEAD = {"conversations": 1, "messages": 3, "extractions": 1, "contacts": 1, "template_sends": 1}


def test_each_table_is_listed_with_a_number_and_an_example(connection: Connection) -> None:
    world.write_world(connection)
    found = {one.table_name: one for one in find_standing_rows(connection, LEAD)}
    assert {name: one.rows for name, one in found.items()} == OF_LEAD
    assert found["messages"] == StandingRows("messages", 3, "needle-message-0")
    found = {one.table_name: one for one in find_standing_rows(connection, TENANT)}
    assert {name: one.rows for name, one in found.items()} == OF_LEAD | {
        "users": 1, "agents": 1, "templates": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("DELETE FROM contacts; DELETE FROM template_sends", "conversations"),
        ("DELETE FROM conversations; DELETE FROM template_sends", "contacts"),
        ("DELETE FROM conversations; DELETE FROM contacts", "template_sends"),
    ],
)
def test_each_kind_of_row_alone_is_found(connection: Connection, statement: str, table: str) -> None:
    world.write_world(connection)
    connection.execute(statement.encode(), prepare=False)
    assert next(one.table_name for one in find_standing_rows(connection, LEAD)) == table


def test_rows_of_others_are_none(connection: Connection) -> None:
    world.write_world(connection)
    for other in (Target("u", world.PHONE), Target(world.ERASED_TENANT, "49777"), Target("nobody")):
        assert find_standing_rows(connection, other) == []
        require_no_standing_rows(connection, other)


def test_what_a_terminal_would_obey_is_escaped(connection: Connection) -> None:
    connection.execute("INSERT INTO users (user_id) VALUES (%s)", ("\x1b[2J",))
    with pytest.raises(ErasureRefusedError) as refused:
        require_no_standing_rows(connection, Target("\x1b[2J"))
    assert "\x1b" not in str(refused.value)
    assert r"users: 1 row, such as \x1b[2J" in str(refused.value)
