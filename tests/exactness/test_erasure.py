"""An erasure beside refreshes: no order of what happens meanwhile makes an answer wrong, then or later."""

from collections.abc import Callable, Iterator
from itertools import product

import pytest

from projector.core.late import defer_mass_changes
from projector.database.rows import Connection
from projector.operate.erase import erase
from projector.operate.erase.ledger import Target
from projector.report.errors import ErasureRefusedError
from projector.report.progress import QUIET
from tests.exactness.platform import Platform, assert_exact, differences, refresh_now, value, waiting
from tests.exactness.random_load import not_so
from tests.support.points import at_points

MOVE = "UPDATE conversations SET customer_phone = '{}', agent_id = '{}' WHERE conversation_id = '{{conversation}}'"
MOVE_ALL = (
    "UPDATE conversations SET is_active = NOT is_active,"
    " customer_phone = CASE conversation_id WHEN '{{conversation}}' THEN '{}' ELSE customer_phone END,"
    " agent_id = CASE conversation_id WHEN '{{conversation}}' THEN '{}' ELSE agent_id END"
    " WHERE conversation_id = '{{conversation}}' OR agent_id = '{{away}}'"
)
TENANT = (
    "INSERT INTO users (user_id) VALUES ('one'); INSERT INTO phone_numbers (id, user_id, platform)"
    " VALUES ('p', 'one', 'whatsapp'); INSERT INTO agents (agent_id, user_id, phone_number_id, name)"
    " VALUES ('a', 'one', 'p', 'Ava'); INSERT INTO conversations (conversation_id, agent_id, customer_phone,"
    " created_at) VALUES ('c', 'a', '102', '2025-01-01'); INSERT INTO messages (message_id, conversation_id, text)"
    " VALUES ('m', 'c', 'Hello')"
)
# How a row comes to the lead 102 of the tenant "one", or to a tenant, and how it goes away again.
ROWS = {
    "a conversation": (MOVE.format("102", "{here}"), MOVE.format("103", "{here}")),
    "a conversation of another tenant": (MOVE.format("102", "{here}"), MOVE.format("103", "{away}")),
    "a conversation in a mass change": (MOVE_ALL.format("102", "{here}"), MOVE_ALL.format("103", "{away}")),
    "a contact": tuple(
        f"UPDATE contacts SET phone = '{to}' WHERE contact_id = '{{contact}}'" for to in (102, 103)
    ),
    "a template send": tuple(
        f"UPDATE template_sends SET customer_phone = '{to}' WHERE send_id = '{{send}}'" for to in (102, 103)
    ),
    "a tenant": (TENANT, "DELETE FROM users WHERE user_id = 'one'"),
}
POINTS = ("leads", "recomputed", "deleted")


def schedules(*, is_mass: bool) -> Iterator[tuple[str, ...]]:
    """Yield what happens at each point: c, g: the row comes, goes; r: a refresh; s: mass changes are sorted."""
    first = ("c", "cs", "crg", "crgs") if is_mass else ("", "c", "cr", "crg")
    for acts in product(first, ("", "c", "g"), ("", "c", "g")):
        # It comes and goes in turns.
        if "cgcgc".startswith("".join(acts).replace("r", "").replace("s", "")):
            yield acts


def assert_honest(platform: Platform) -> None:
    """Assert that statistics agree with the leads, and that if nothing waits, everything is as in the source."""
    conn = platform.conn
    assert list(not_so(conn)) == []
    late = value(conn, "SELECT array_agg(user_id) FROM read_model.tenants WHERE late_as_of IS NOT NULL")
    if late is None and waiting(conn) == []:
        assert differences(conn) == []


def left_of(conn: Connection, target: Target) -> list[str]:
    """Return the tables that have rows of the target."""
    tables = ("read_model.leads", "read_model.lead_messages", "projector.source_keys", "projector.late_keys")
    condition = (
        "WHERE t.user_id = %(user_id)s AND t.customer_phone = coalesce(%(customer_phone)s, t.customer_phone)"
    )
    text = " UNION ALL ".join(f"SELECT '{table}' FROM {table} AS t {condition}" for table in tables)
    return [table for (table,) in conn.execute(text.encode(), target.parameters)]


def late_without_keys(conn: Connection) -> list[str] | None:
    tenants: list[str] | None = value(
        conn,
        "SELECT array_agg(t.user_id) FROM read_model.tenants AS t WHERE t.late_as_of IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM projector.late_keys AS l WHERE l.user_id = t.user_id)",
    )
    return tenants


def prepared(filled: Platform, row: str) -> dict[str, Callable[[], object]]:
    """Return what each letter of a schedule does."""
    conn, (comes, goes) = filled.conn, ROWS[row]
    here, away = filled.agent("one"), filled.agent(filled.tenant("two"))
    conversation = filled.conversation(away if "{away}" in goes else here, "103")
    send, contact = filled.send(filled.template("one"), "103"), filled.contact("one", "103", "Zed")
    filled.message(conversation)
    for number in range(120 * ("mass" in row)):
        filled.conversation(away, str(2000 + number))
    if row == "a tenant":
        conn.execute(goes.encode())
    refresh_now(conn)
    ids = {"here": here, "away": away, "conversation": conversation, "send": send, "contact": contact}
    return {
        "c": lambda: conn.execute(comes.format(**ids).encode(), prepare=False),
        "g": lambda: conn.execute(goes.format(**ids).encode()),
        "r": lambda: refresh_now(conn),
        "s": lambda: defer_mass_changes(conn),
    }


def erased(filled: Platform, target: Target, schedule: dict[str, str], do: Callable[[str], object]) -> bool:
    """Return whether an erasure with this schedule ends; otherwise it is refused."""

    def act(point: str) -> None:
        if point not in POINTS or ("leads" in schedule and point != "leads"):
            return
        # Where nothing is left, nothing is recomputed again.
        for earlier in POINTS[: POINTS.index(point) + 1]:
            for letter in schedule.pop(earlier, ""):
                with at_points(lambda _: None):
                    do(letter)
        assert_honest(filled)

    with filled.database.connect() as erasing, at_points(act):
        try:
            erase(erasing, target, progress=QUIET)
        except ErasureRefusedError:
            return False
    return True


# An erasure treats template sends as contacts: both give a lead its profile, and no message.
@pytest.mark.parametrize(
    "row", [pytest.param(row, marks=pytest.mark.long if row == "a template send" else ()) for row in ROWS]
)
def test_what_comes_and_goes_during_an_erasure_is_shown_and_counted_right(
    filled: Platform, pytestconfig: pytest.Config, row: str
) -> None:
    conn, target = filled.conn, Target("one", None if row == "a tenant" else "102")
    acting = prepared(filled, row)
    # Neighbours differ by what happens at the last point.
    every = 1 if pytestconfig.getoption("all") else 3
    for acts in [*schedules(is_mass="mass" in row)][::every]:
        done: list[str] = []

        def do(letter: str) -> None:
            done.append(letter)  # noqa: B023
            acting[letter]()

        is_erased = erased(filled, target, dict(zip(POINTS, acts, strict=True)), do)
        assert is_erased is (done.count("c") == done.count("g")), acts
        if is_erased:
            assert (left_of(conn, target), late_without_keys(conn)) == ([], None), acts
        assert_honest(filled)
        refresh_now(conn)
        assert_exact(conn)
        if not is_erased:
            acting["g"]()
            refresh_now(conn)
