"""Logs: one JSON object a line for machines, text for people."""

import json
import subprocess
import sys

from tests.support.commands import environment

OTHERS = """
import logging, threading, warnings, structlog
from projector.report import log
log.configure("INFO", "json")
structlog.get_logger("projector.refresh").debug("taken")
structlog.get_logger("projector.refresh").info("refreshed")
logging.getLogger("apscheduler.scheduler").info("added a job")
logging.getLogger("apscheduler.scheduler").warning("missed by %s s", 3)
warnings.warn("this is going away", DeprecationWarning)
def fail():
    raise ValueError("49151000001")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
fail()
"""

PERSONAL = """
import sys, structlog
from projector.report import log
from projector.report.log import Personal, digest, quoting
from projector.report.errors import RebuildFailedError
from psycopg.errors import NumericValueOutOfRange
log.configure("INFO", sys.argv[1], personal_data=sys.argv[2] == "on")
logger = structlog.get_logger("projector.verify")
logger.error("drift", lead=Personal("49151000001", digest("49151000001")), expected=Personal("Aurelia"))
logger.error("failed", error=quoting(NumericValueOutOfRange("Aurelia is out of range"), "Aurelia is out of range"))
logger.error("failed", error=quoting(RebuildFailedError("at 49151000001", without_values="at one"), "at 49151000001"))
logger.error("failed", error=quoting(OSError("no space"), "no space"))
try:
    try:
        int("Aurelia")
    except ValueError as error:
        raise KeyError("49151000001") from error
except KeyError:
    logger.exception("unexpected failure")
"""


def run(script: str, *arguments: str, code: int = 0) -> list[str]:
    """Return what a program writes to standard error."""
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", script, *arguments],
        check=False,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.returncode) == ("", code)
    return done.stderr.splitlines()


def test_what_others_say_python_warns_of_and_nobody_caught_is_json_too() -> None:
    ours, missed, warned, in_thread, uncaught = map(json.loads, run(OTHERS, code=1))
    # The level is for our own logs: others log from WARNING on.
    assert [ours["event"], missed["event"]] == ["refreshed", "missed by 3 s"]
    assert "this is going away" in warned["event"]
    assert warned["level"] == "warning"
    for found in (in_thread, uncaught):
        assert (found["event"], found["level"]) == ("unexpected failure", "critical")
        assert "in fail" in found["exception"]
        assert "ValueError" in found["exception"]


def test_no_line_as_text_names_a_customer() -> None:
    said = "\n".join(run(PERSONAL, "text", "off"))
    assert "unexpected failure" in said
    assert "49151000001" not in said


def test_a_line_names_the_customer_where_that_is_wanted() -> None:
    found = [json.loads(line) for line in run(PERSONAL, "json", "on")]
    assert (found[0]["lead"], found[0]["expected"]) == ("49151000001", "Aurelia")
    assert [line.get("error") for line in found[1:4]] == [
        "Aurelia is out of range",
        "at 49151000001",
        "no space",
    ]
    assert "KeyError: '49151000001'" in found[4]["exception"]


HOSTILE = r"""
import sys, structlog, logging
from projector.report import log
log.configure("INFO", "text")
structlog.get_logger("projector.x").info("an event\nforged", key="\x1b[2J\nforged \u202e", keys=["\x9b1m"])
logging.getLogger("other").warning("of another\nforged \x1b[2J")
try:
    raise OSError("\x1b[2J")
except OSError:
    structlog.get_logger("projector.x").exception("failed\rforged")
"""


def test_no_value_of_a_text_log_forges_a_line() -> None:
    found = run(HOSTILE)
    assert [line for line in found if line.startswith("forged")] == []
    assert all(line.isprintable() for line in found)
    assert r"\x1b[2J\nforged \u202e" in "\n".join(found).replace("\\\\", "\\")
