"""The record of what differs: what ends it, and what does not."""

import pytest

from projector.database.rows import Connection
from projector.observe.status import find_attention, read_status
from projector.report.progress import QUIET
from projector.sweep import drift
from projector.sweep import verify as verifying
from projector.sweep.drift import Comparison, Drift, Item
from projector.sweep.run_log import read_clock
from projector.sweep.verify import verify
from tests.support.running import value, write_conversations, write_source
from tests.support.server import Database
from tests.unit.projector.scheduler.running import build

LEAD = Item("lead", "u", "49151000001")
OPEN = "SELECT count(*) FROM projector.drift WHERE ended_at IS NULL"


@pytest.fixture
def drifted(connection: Connection) -> Connection:
    """Two tenants; the first lead of the first has drifted, which a verify has found."""
    write_source(connection)
    write_conversations(connection, 3, first=2)
    write_source(connection, tenant="v")
    build(connection)
    connection.execute(
        "UPDATE read_model.lead_profiles SET name = 'x' WHERE customer_phone = '49151000001' AND user_id = 'u'"
    )
    return connection


def test_a_heal_that_fails_clears_nothing(
    database: Database, drifted: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise RuntimeError("the process ended")

    monkeypatch.setattr(verifying, "rebuild_leads", fail)
    with database.connect() as own, pytest.raises(RuntimeError):
        verify(own, tenants=None, sample=None, heal=True, progress=QUIET)
    assert "1 item differs" in find_attention(read_status(drifted))[0]


def test_nothing_clears_what_was_seen_since(connection: Connection) -> None:
    before = read_clock(connection)
    found = [Drift(LEAD.user_id, LEAD.customer_phone, "name", "a", "b")]
    drift.record(connection, Comparison(read_clock(connection), 1, [LEAD], [], found))
    drift.end(connection, [LEAD], before=before, at=before, outcome="right")
    drift.end_all(connection, None, before, outcome="rebuilt")
    drift.end_all(connection, ["v"], read_clock(connection), outcome="rebuilt")
    assert value(connection, OPEN) == 1
    drift.end_all(connection, ["u"], read_clock(connection), outcome="rebuilt")
    assert value(connection, OPEN) == 0
