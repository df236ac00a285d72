"""Old tombstones go, and the tenant remembers up to which version."""

from projector.scheduler.jobs.prune import prune_tombstones
from tests.support.running import value
from tests.unit.projector.recovering import Connection


def test_old_tombstones_go_and_young_ones_stay(built: Connection) -> None:
    built.execute(
        "INSERT INTO read_model.lead_tombstones (user_id, customer_phone, version, deleted_at) VALUES"
        " ('u', '1', 5, now() - interval '31 days'), ('u', '2', 7, now() - interval '40 days'),"
        " ('u', '3', 9, now() - interval '29 days')"
    )
    prune_tombstones(built, 30)
    assert built.execute("SELECT customer_phone FROM read_model.lead_tombstones").fetchall() == [("3",)]
    assert value(built, "SELECT pruned_version FROM read_model.tenants WHERE user_id = 'u'") == 7
    prune_tombstones(built, 30)
    assert value(built, "SELECT pruned_version FROM read_model.tenants WHERE user_id = 'u'") == 7


def test_the_view_of_the_place_names_installation_server_database_and_timeline(built: Connection) -> None:
    built.execute("SET ROLE leads_api")
    place = value(built, "SELECT place FROM read_model.place_of_versions")
    built.execute("RESET ROLE")
    assert place.startswith(str(value(built, "SELECT installation_id FROM read_model.projection")))
    *_, system, database, timeline = place.split("-")
    assert system == str(value(built, "SELECT system_identifier FROM pg_control_system()"))
    assert database == str(value(built, "SELECT oid FROM pg_database WHERE datname = current_database()"))
    assert int(timeline, 16) == value(built, "SELECT timeline_id FROM pg_control_checkpoint()")
