"""A window of time has figures, even where it is over before anything was written in it."""

from statistics import quantiles

from tests.benchmarks.mixed import _Probes
from tests.support.running import write_source
from tests.support.server import Database


def test_a_window_that_is_over_at_once_has_two_ages(database: Database) -> None:
    with database.connect() as conn:
        write_source(conn)
        conn.execute("CREATE SCHEMA benchmark; CREATE SEQUENCE benchmark.numbers")
        # As if the projector brought each message over at once.
        conn.execute(
            "CREATE FUNCTION benchmark.bring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO read_model.lead_messages"
            " (user_id, message_id, customer_phone, conversation_id, sent_at, status)"
            " VALUES ('u', NEW.message_id, '1', NEW.conversation_id, now(), 'sent'); RETURN NULL; END $$;"
            "CREATE TRIGGER bring AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION benchmark.bring()"
        )
        probes = _Probes(conn, "u", ["c-u-1"])
        probes.send(0)
        probes.wait()
        assert len(probes.ages) == len(probes.seen_in_source) == 2
        assert quantiles(probes.ages, n=100, method="inclusive")
