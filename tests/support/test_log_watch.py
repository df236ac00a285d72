"""The search for customers in logs has to find each, wherever a test logs it."""

import re
from pathlib import Path

import pytest

from tests.support.log_watch import LogWatch
from tests.test_options import run

HEAD = """
import logging
import subprocess
import sys

import click
import structlog
from click.testing import CliRunner

from tests.support.running import write_source
"""
LOGGING = """

def test_{number}(database, tmp_path, capsys):
    with database.connect() as conn:
        write_source(conn)
        conn.execute("INSERT INTO contacts (contact_id, user_id, phone, name) VALUES ('c', 'u', '4915', 'Siddhant')")
    {line}
"""
PROGRAM = (
    "subprocess.run([sys.executable, '-c', 'import sys; sys.exit(\"{}\")'], capture_output=True, env={})"
)
# The program says that there is no such command.
STARTED = "subprocess.Popen([sys.executable, '-m', 'projector', 'Siddhant'], stderr={}).wait()"
LINES = {
    "a logger of Python": 'logging.getLogger("projector").warning("lead %s", "49151000001")',
    "structlog": 'structlog.get_logger().warning("a line", lead="49151000001")',
    "a program": PROGRAM.format("lead 49151000001", "{}"),
    "standard error": 'print("name=Siddhant", file=sys.stderr)',
    "standard error that the test reads": 'print("name=Siddhant", file=sys.stderr); capsys.readouterr()',
    "a command in this process": "CliRunner().invoke(click.command()(lambda: click.echo('of Siddhant', err=True)))",
    "a program's log file": STARTED.format("(tmp_path / 'log').open('wb')"),
    "a program whose log nobody reads": STARTED.format("subprocess.DEVNULL"),
}
NOTHING = {
    "a program that may": PROGRAM.format("lead 49151000001", "{'LEADS_LOG_PERSONAL_DATA': 'on'}"),
    "an id": 'structlog.get_logger().warning("a line", key="c-u-1")',
    "standard output": 'print("49151000001")',
    "a hidden value": "from projector.report.log import Personal; "
    'structlog.get_logger().warning("a line", lead=Personal("49151000001", "8fa0ec6c"))',
}


@pytest.mark.thorough
def test_a_customer_in_a_line_fails_the_test_and_names_the_line(tmp_path: Path) -> None:
    # In one run, since it starts a server.
    lines = [*LINES.values(), *NOTHING.values()]
    made = [LOGGING.format(number=number, line=line) for number, line in enumerate(lines)]
    (tmp_path / "test_made.py").write_text(HEAD + "".join(made))
    done = run(tmp_path, "-q")
    numbers = re.findall(r"^test_made.py::test_(\d+): A log names a customer", done.stdout, re.MULTILINE)
    assert [list(LINES)[int(number)] for number in numbers] == list(LINES), done.stdout
    assert f"{len(lines)} passed, {len(LINES)} errors" in done.stdout


def test_values_that_prove_nothing_are_left_out() -> None:
    watch = LogWatch()
    watch.forbid(["Ann", None, "missed", "Siddhant"])
    watch.add("Annual changes may have been missed")
    assert watch.found() == []
    watch.add("of Siddhant\nand others")
    assert watch.found() == ["'Siddhant' in: of Siddhant"]
