"""What the programs log: of leads tenant, field and digest, and no data of a customer unless an operator wants that."""

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from projector.database.rows import Connection
from projector.report.log import digest
from projector.report.progress import QUIET
from projector.sweep import rolling
from projector.sweep.run_log import read_clock
from projector.sweep.verify import verify
from tests.support.commands import environment, run_command
from tests.support.running import value
from tests.support.server import Database

PHONE = "49151000001"
# A platform's own trigger on our table is what can raise any text.
REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'Siddhant of % is refused', NEW.customer_phone;
END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON read_model.leads FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@pytest.mark.parametrize("shown", ["off", "on"])
def test_a_drift_line_and_the_error_of_a_rebuild(
    built: Connection, database: Database, tmp_path: Path, shown: str
) -> None:
    settings = {"DATABASE_URL": database.url, "LEADS_LOG_PERSONAL_DATA": shown}
    built.execute("UPDATE read_model.lead_profiles SET name = 'Siddhant'")
    done = run_command(tmp_path, "verify", "--all", "--heal", LEADS_LOG_FORMAT="json", **settings)
    assert done.returncode == 3
    # Standard output is for the operator who asked.
    assert f"u {PHONE} profile.name: expected null, found Siddhant" in done.stdout
    [drift] = [line for line in map(json.loads, done.stderr.splitlines()) if line["event"] == "drift"]
    assert (drift["tenant"], drift["field"]) == ("u", "profile.name")
    written = done.stderr
    built.execute("UPDATE read_model.leads SET document = '{}'")
    built.execute(REFUSE.encode(), prepare=False)
    done = run_command(tmp_path, "rebuild", LEADS_LOG_FORMAT="text", **settings)
    assert done.returncode == 1
    written += done.stderr
    if shown == "on":
        assert (drift["lead"], drift["expected"], drift["found"]) == (PHONE, "null", "Siddhant")
        assert f"Error: The rebuild stopped at customer {PHONE} of tenant u: Siddhant" in done.stderr
    else:
        assert drift["lead"] == digest(PHONE)
        assert f"at a customer of tenant u whose phone has the digest {digest(PHONE)}: Raise" in done.stderr
        assert PHONE not in written
        assert "Siddhant" not in written
    status = run_command(tmp_path, "status", **settings)
    # The note of a run is kept, and has no values whatever lines have.
    assert f"at a customer of tenant u whose phone has the digest {digest(PHONE)}" in status.stdout
    note = value(built, "SELECT note FROM projector.runs WHERE outcome = 'failed'")
    assert "RaiseException (SQLSTATE P0001)" in note
    assert PHONE not in status.stdout + note
    assert "Siddhant" not in status.stdout + note


RAISE = """
CREATE OR REPLACE FUNCTION projector.canonical_phone(value text) RETURNS text LANGUAGE plpgsql
AS $$ BEGIN RAISE 'Siddhant of % is refused', value; END $$;
"""


def test_the_notes_of_a_verify_have_no_values(built: Connection) -> None:
    built.execute(RAISE.encode(), prepare=False)
    with pytest.raises(psycopg.errors.RaiseException, match=f"Siddhant of {PHONE}"):
        verify(built, tenants=None, sample=None, heal=False, progress=QUIET)
    note = value(built, "SELECT note FROM projector.runs WHERE kind = 'verify' AND outcome = 'failed'")
    assert note == "RaiseException (SQLSTATE P0001) (sql/sweep/4_keys/10_find_wrong_keys.sql)"
    rolling.begin(built, 1.0, read_clock(built))
    with pytest.raises(psycopg.errors.RaiseException, match=f"Siddhant of {PHONE}"):
        rolling.step(built, 1.0)
    assert value(built, "SELECT failure FROM projector.verify_rounds") == "RaiseException (SQLSTATE P0001)"


OTHERS = """
import logging, threading, warnings, structlog
from projector.report import log
log.configure("INFO", "json")
structlog.get_logger("projector.refresh").debug("taken")
structlog.get_logger("projector.refresh").info("refreshed")
logging.getLogger("apscheduler.scheduler").info("added a job")
logging.getLogger("apscheduler.scheduler").warning("missed by %s s", 3)
logging.getLogger("psycopg").warning("error ignored terminating %r: %s", "a pipeline", "pipeline aborted")
warnings.warn("this is going away", DeprecationWarning)
def fail():
    raise ValueError("49151000001")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
fail()
"""


def test_what_others_say_python_warns_of_and_nobody_caught_is_json_too() -> None:
    program = [sys.executable, "-W", "always", "-c", OTHERS]
    done = subprocess.run(program, check=False, env=environment(), capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 1)
    ours, missed, warned, in_thread, uncaught = map(json.loads, done.stderr.splitlines())
    # The level is for our own logs: others log from WARNING on.
    assert [ours["event"], missed["event"]] == ["refreshed", "missed by 3 s"]
    assert "this is going away" in warned["event"]
    assert warned["level"] == "warning"
    for logged in (in_thread, uncaught):
        assert (logged["event"], logged["level"]) == ("unexpected failure", "critical")
        assert "in fail" in logged["exception"]
        assert "ValueError" in logged["exception"]
        assert "49151000001" not in logged["exception"]
