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


def run(script: str, code: int = 0) -> list[str]:
    """Return what a program writes to standard error."""
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", script],
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
        # tests/unit/projector/test_personal_data.py has the lines of the projector.
        assert "49151000001" not in found["exception"]
