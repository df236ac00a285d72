"""The commands on a real database: what each prints, and its exit code."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from projector.cli import export
from tests.support.cases import cases
from tests.support.commands import run_command
from tests.support.running import write_message, write_source
from tests.support.server import Database

Done = Callable[..., "subprocess.CompletedProcess[str]"]

WRONG = (
    ("nonsense", "No such command"),
    ("verify --all --sample 3", "give one of them"),
    ("assess --json --sql", "not both"),
    ("explain u", "Missing argument"),
    ("explain u 4915 --candidates -1", "-1 is not in the range"),
    ("demo --messages-per-lead nan", "nan is no number"),
    ("demo --messages-per-lead inf", "inf is not in the range"),
    ("erase", "Say what to do"),
    ("erase --user u --replay", "exclude each other"),
    ("erase --replay --phone 4915", "--phone needs --user"),
    ("export --user u", "Missing option"),
    ("export --output x", "Missing option"),
    ("export --user u --output x --from 2025-01-01", "--kind messages.ndjson"),
    ("export --user u --output x --kind leads.xls", "'leads.xls' is not one of"),
    ("export --user u --output messages.ndjson --from yesterday", "2025-01-31T09:30:00Z"),
    ("export --user u --output messages.ndjson --from 9999-12-31T23:00-05:00", "is no date"),
)


@cases(("command", "said"), WRONG)
def test_a_wrong_call_ends_with_2_and_is_named(tmp_path: Path, command: str, said: str) -> None:
    done = run_command(tmp_path, *command.split())
    assert done.returncode == 2
    assert said in done.stderr


@cases(
    ("text", "first", "after"),
    [
        ("2025-01-31", "2025-01-31T00:00:00", "2025-02-01T00:00:00"),
        ("2025-01-31T09:30", "2025-01-31T09:30:00", "2025-01-31T09:30:00.001"),
        ("2025-01-31T09:30:00.123456+02:00", "2025-01-31T07:30:00.123", "2025-01-31T07:30:00.124"),
    ],
)
def test_moments(text: str, first: str, after: str) -> None:
    moments = export._moment(text)  # noqa: SLF001
    assert [moment.isoformat() for moment in moments] == [
        datetime.fromisoformat(moment).replace(tzinfo=UTC).isoformat() for moment in (first, after)
    ]


@pytest.fixture
def done(source_database: Database, tmp_path: Path) -> Done:
    """A command on the database, of which the exit code and a part of what it prints are checked."""

    def run(
        command: str, code: int, said: str, *, answer: str = "", **settings: str
    ) -> "subprocess.CompletedProcess[str]":
        chosen = {"DATABASE_URL": source_database.url, **settings}
        result = run_command(tmp_path, *command.split("|"), text=answer, **chosen)
        assert (result.returncode, said in result.stdout + result.stderr) == (code, True), result
        return result

    return run


def test_a_tenant_is_erased_once_its_source_rows_are_gone(
    source_database: Database, done: Done, tmp_path: Path
) -> None:
    ledger = tmp_path / "erased.jsonl"
    with source_database.connect() as conn:
        write_source(conn)
        done("erase|--vacuum", 1, "The read model is not installed in this database")
        done("migrate", 0, "")
        done("rebuild", 0, "")
        done("erase|--user|u|--phone| ", 2, "--phone is blank")
        done("erase|--user|u|--yes", 1, "1 row of users. Delete them there first")
        conn.execute("DELETE FROM users")
        asked = "Erase tenant u (1 lead and 0 messages) from the database"
        done("erase|--user|u", 1, asked, answer="n\n")
        done(
            f"erase|--user|u|--yes|--ledger|{ledger}",
            0,
            "Erased: tenant u. The read model had 1 lead and 0 mess",
        )
        done(f"erase|--ledger|{ledger}", 0, "The ledger took 0 new lines from")
        done("erase|--replay|--vacuum", 0, "Nothing that the ledger names is there")
        write_source(conn)
        done("refresh", 0, "")
        done("erase|--replay", 1, "these are there again", answer="n\n")
        done("erase|--replay|--yes", 1, "Not erased. ")
        conn.execute("DELETE FROM users")
        done("erase|--replay|--yes|--vacuum", 0, "VACUUM (FULL, VERBOSE) read_model.leads;")


def test_an_installation_from_its_first_day_to_its_last(
    source_database: Database, done: Done, tmp_path: Path
) -> None:
    with source_database.connect() as conn:
        write_source(conn)
        conn.execute("DROP INDEX template_sends_template_id_idx")
        done(
            "migrate|--source-schema|nowhere|--source-schema|public",
            0,
            "CREATE INDEX CONCURRENTLY ON public.template_sends (template_id);",
        )
        assert done("migrate", 0, "").stdout.endswith("The read model is installed and up to date.\n")
        done("tenants", 1, "never built")
        done("status", 1, "never built")
        done("rebuild", 0, "Rebuild: 1 lead, 0 messages, 0 changes in ")
        write_message(conn, "m1")
        done("refresh", 0, "Refresh: 1 lead, 1 message, 1 change in ")
        assert (nothing := done("refresh", 0, "")).stdout + nothing.stderr == ""
        done("refresh|--verbose", 0, "Refresh: 0 leads, 0 messages, 0 changes in ")
        done("rebuild|--user|u", 0, "Rebuild: ")
        conn.execute("ALTER TABLE messages DISABLE TRIGGER leads_capture_insert")
        done("status", 1, "leads_capture_insert on messages was changed")
        done("refresh", 0, "Rebuilt everything")
        conn.execute(
            "INSERT INTO projector.changes (shard, kind, keys, bulk) VALUES (0, 'contacts', '{x}', true)"
        )
        conn.execute(
            "INSERT INTO projector.changes (shard, kind, keys, bulk) VALUES (0, 'contacts', '{y}', true)"
        )
        done("refresh", 0, "because more than 1 change waited", LEADS_QUEUE_LIMIT="1")
        assert json.loads(done("status|--json", 0, "").stdout)["attention"] == []
        done(
            "status",
            1,
            "The role reader, which LEADS_API_ROLE names, does not exist",
            LEADS_API_ROLE="reader",
        )
        assert json.loads(done("tenants|--json", 0, "").stdout)["tenants"][0]["user_id"] == "u"
        done("explain|u|+49 151 000001|--candidates|7", 0, "Lead 49151000001 of u")
        assert json.loads(done("explain|u|49151000001|--json", 0, "").stdout)["state"] == "current"
        done("explain|u|17", 1, "The tenant has no such lead.")
        assert done("explain|x|17", 1, "").stderr.startswith("Error: There is no tenant 'x'")
        file = tmp_path / "leads.csv"
        done(f"export|--user|u|--output|{file}", 0, f"{file}: 1 lead, as of ")
        done("verify|--user|u", 0, "1 lead verified, 0 left out")
        write_message(conn, "m2")
        done("verify|--all", 0, "0 leads verified, 1 left out because a change waits or is a dead letter")
        done("refresh", 0, "")
        conn.execute("UPDATE read_model.leads SET total_messages = 7")
        drifted = done("verify|--all", 3, "Run the same again with --heal").stdout
        assert "u 49151000001 total_messages: expected 2, found 7" in drifted.splitlines()
        done("verify|--sample|7", 3, ": 1 difference, 0 leads healed.")
        healing = done("verify|--all|--heal", 3, ": 1 difference, 1 lead healed.")
        assert "Run the same again" not in healing.stdout
        done("verify", 0, ": 0 differences")
        done("capture|off|--reason|import", 0, "Capture is off.")
        done("status", 1, "import")
        done("capture|on", 0, "Capture is on.")
        done("refresh", 0, "")
        conn.execute("CREATE TABLE of_the_api (); ALTER TABLE of_the_api OWNER TO leads_api")
        done(
            "uninstall",
            1,
            f"Delete the read model from the database {source_database.name} on ",
            answer="n\n",
        )
        done("status", 0, "")
        done("uninstall", 0, "The role leads_api stays", answer="y\n")
        conn.execute("DROP TABLE of_the_api")
        done("status", 1, "The read model is not installed in this database")
        done("uninstall|--yes", 0, "The read model and its triggers are gone")


def test_a_run_that_leaves_rows_out_ends_with_1(source_database: Database, done: Done) -> None:
    told = "Left out of the read model: 1 dead letter. `status` says which, and what to do;"
    repair = "after a repair, run `refresh --retry-failed`."
    with source_database.connect() as conn:
        write_source(conn)
        done("migrate", 0, "")
        done("rebuild", 0, "")
        conn.execute("ALTER TABLE read_model.leads ADD CONSTRAINT refused CHECK (total_messages < 1)")
        write_message(conn, "m1")
        assert done("refresh", 1, told).stderr.endswith(f"Error: {told} {repair}\n")
        assert done("refresh", 1, told).stdout == ""
        again = done("refresh|--retry-failed", 1, told)
        assert "dead letters tried again: 1; 1 failed again\n" in again.stdout
        done("rebuild", 1, "The rebuild stopped")
        conn.execute("ALTER TABLE read_model.leads DROP CONSTRAINT refused")
        done("refresh|--retry-failed", 0, "dead letters tried again: 1; none failed again")
        # Of what no rebuild computes, as of another tenant.
        conn.execute(
            "INSERT INTO projector.dead_letters (kind, key, user_id, error, attempts, first_failed_at, retry_at)"
            " VALUES ('changed', 'x', 'w', 'a reason', 9, now(), now() + interval '1 minute'),"
            " ('changed', 'y', 'u', 'a reason', 9, now(), now() + interval '1 minute')"
        )
        done("rebuild|--user|u", 1, told)
        done("refresh", 1, "Left out of the read model: 2 dead letters.")
        conn.execute("DELETE FROM projector.dead_letters WHERE user_id = 'u'")
        done("rebuild|--user|u", 0, "")
        conn.execute("DELETE FROM projector.dead_letters")
        conn.execute("INSERT INTO projector.changes (shard, kind, keys) VALUES (0, 'unheard of', '{x}')")
        done("refresh", 1, "Left out of the read model: 1 unknown change.")
        done("rebuild", 0, "")
        done("refresh", 0, "")
