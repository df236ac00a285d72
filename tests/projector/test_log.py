"""Logs: one JSON object a line for machines, text for people."""

import json
import subprocess
import sys

import pytest

from tests.support.commands import environment

SCRIPT = """
import logging, sys, structlog
from projector import log
log.configure(*sys.argv[1:])
logger = structlog.get_logger("projector.refresh")
logger.info("refreshed", leads=3)
logger.debug("taken")
logging.getLogger("apscheduler.scheduler").info("added a job")
logging.getLogger("apscheduler.scheduler").warning("missed by %s s", 3)
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("failed")
"""


def lines(level: str, form: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, level, form],
        check=True,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


@pytest.mark.parametrize("form", ["json", "auto"])
def test_json_lines_off_a_terminal(form: str) -> None:
    found = [json.loads(line) for line in lines("INFO", form)]
    assert [entry["event"] for entry in found] == ["refreshed", "missed by 3 s", "failed"]
    assert found[0]["leads"] == 3
    assert found[0]["level"] == "info"
    assert found[0]["timestamp"].endswith("Z")
    assert "ZeroDivisionError" in found[2]["exception"]


def test_text_when_asked_for_without_colours_off_a_terminal() -> None:
    found = "\n".join(lines("DEBUG", "text"))
    assert "refreshed" in found
    assert "leads=3" in found
    assert "taken" in found
    assert "\x1b" not in found


def test_the_level_is_for_our_own_logs() -> None:
    found = [json.loads(line)["event"] for line in lines("ERROR", "json")]
    assert found == ["missed by 3 s", "failed"]
