"""What is recorded of a comparison."""

from projector.sweep.drift_log import Item
from projector.sweep.rebuild.run_log import read_clock
from projector.sweep.verify.drift import Comparison, Drift
from projector.sweep.verify.record import record, record_healed
from tests.exactness.platform import Platform
from tests.support.running import value

LEAD, OTHER = Item("lead", "one", "490"), Item("lead", "one", "491")
OPEN = "SELECT string_agg(customer_phone, ',' ORDER BY 1) FROM projector.drift WHERE ended_at IS NULL"
PUBLISHED = "SELECT (open_differences, found_differences)::text FROM read_model.projection"


def drift(item: Item, field: str = "name") -> Drift:
    return Drift(item.user_id, item.customer_phone, field, "a", "b")


def test_what_differs_is_noted_and_what_does_not_any_more_is_ended(world: Platform) -> None:
    conn = world.conn
    drifts = [drift(LEAD), drift(LEAD, "email"), drift(OTHER)]
    record(conn, Comparison(read_clock(conn), 2, [LEAD, OTHER], [], drifts))
    assert value(conn, OPEN) == "490,491"
    assert value(conn, "SELECT fields FROM projector.drift WHERE customer_phone = '490'") == 2
    assert value(conn, PUBLISHED) == "(2,2)"
    # The other one waits: nothing is known of it.
    record(conn, Comparison(read_clock(conn), 1, [LEAD], [OTHER], []))
    assert value(conn, OPEN) == "491"
    assert value(conn, PUBLISHED) == "(1,2)"
    record(conn, Comparison(read_clock(conn), 1, [LEAD], [OTHER], [drift(LEAD)]))
    assert value(conn, PUBLISHED) == "(2,3)"


def test_what_was_healed_is_ended_unless_it_was_seen_since(world: Platform) -> None:
    conn = world.conn
    record(conn, Comparison(read_clock(conn), 2, [LEAD], [], [drift(LEAD)]))
    began = read_clock(conn)
    record(conn, Comparison(read_clock(conn), 2, [OTHER], [], [drift(OTHER)]))
    record_healed(conn, [LEAD, OTHER], began, read_clock(conn))
    assert value(conn, OPEN) == "491"
    assert value(conn, "SELECT outcome FROM projector.drift WHERE customer_phone = '490'") == "healed"
