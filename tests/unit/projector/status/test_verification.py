"""What `status` reads of the verify."""

from projector.observe.status import as_dict, read_status
from projector.report.progress import QUIET
from projector.sweep.verify import verify
from tests.support.running import value
from tests.support.server import Database
from tests.unit.projector.status.reading import Connection


def test_before_the_first_verify_there_is_nothing_to_tell(built: Connection) -> None:
    found = as_dict(read_status(built))["verify"]
    assert found == {
        "proved_at": None,
        "proved": None,
        "round": None,
        "drift": {"count": 0, "first": [], "ended": []},
    }


def test_a_verify_of_everything_proves_it_and_one_of_a_tenant_does_not(
    database: Database, built: Connection
) -> None:
    with database.connect() as own:
        verify(own, tenants=["u"], sample=None, heal=False, progress=QUIET)
        verify(own, tenants=None, sample=5, heal=False, progress=QUIET)
        assert read_status(built).verification.proved is None
        verify(own, tenants=None, sample=None, heal=False, progress=QUIET)
    found = read_status(built).verification
    assert found.proved is not None
    assert (found.proved.leads, found.proved.left_out, found.proved.differences) == (1, 0, 0)
    assert as_dict(read_status(built))["verify"]["proved_at"] == found.proved.finished_at
    assert value(built, "SELECT proved_at FROM read_model.projection") == found.proved.finished_at


def test_what_differs_is_counted_and_the_first_is_named(database: Database, built: Connection) -> None:
    built.execute("UPDATE read_model.leads SET lead_status = 'Hot', total_score = 4")
    with database.connect() as own:
        verify(own, tenants=None, sample=None, heal=False, progress=QUIET)
    found = read_status(built).verification
    # The lead, and the statistics that count it.
    assert found.drift_total == 2
    assert [(item.kind, item.user_id, item.customer_phone) for item in found.drift] == [
        ("lead", "u", "49151000001"),
        ("statistics", "u", ""),
    ]
    told = as_dict(read_status(built))["verify"]["drift"]
    assert (told["count"], len(told["first"]), told["ended"]) == (2, 2, [])
    assert "total" not in told["first"][0]
