"""What all commands share: the database that they find, and the sentences for what goes wrong."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import click
import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import errors

from api.__main__ import cli as api_cli
from projector.capture import gaps
from projector.cli import cli
from projector.cli.base import Commands, Invocation, describe
from projector.database.sql import PROJECTION_VERSION
from projector.report import log
from projector.report.errors import ProjectorError, RebuildFailedError
from tests.support.commands import ROOT, projector, run_command
from tests.support.server import Database


def failed(folder: Path, error: BaseException) -> Result:
    """What a command ends with that fails by an error."""

    def fail() -> None:
        raise error

    commands = Commands(commands={"fail": click.Command("fail", callback=fail)})
    with chdir(folder):
        return CliRunner().invoke(commands, ["fail"], obj=Invocation(None))


def test_help_and_version_need_neither_settings_nor_a_database(tmp_path: Path) -> None:
    done = run_command(tmp_path, "refresh", "--help", LEADS_REFRESH_BATCH="many")
    assert (done.returncode, "Exit codes:" in done.stdout) == (0, True)
    done = projector(tmp_path, "--version", LEADS_REFRESH_BATCH="many")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert done.stdout == f"leads-projector {version}, projection version {PROJECTION_VERSION}\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_no_summary_is_cut_at_80_columns() -> None:
    groups: dict[str, click.Group] = {"": cli, "api": api_cli}
    while groups:
        name, group = groups.popitem()
        printed = CliRunner().invoke(group, ["--help"], terminal_width=80).output
        assert not [line for line in printed.splitlines()[1:] if line.endswith("...")], name
        assert group.commands
        groups |= {
            f"{name} {key}": value for key, value in group.commands.items() if isinstance(value, click.Group)
        }


def test_a_failure_is_one_sentence(tmp_path: Path) -> None:
    failures: dict[str, BaseException] = {
        "Error: Interrupted. What was committed stays": KeyboardInterrupt(),
        "Error: No table agents. Create it.": ProjectorError("No table agents. Create it."),
        "owner of the platform's tables": errors.InsufficientPrivilege("permission denied"),
        "refused a statement: no such relation (SQLSTATE 42P01)": errors.UndefinedTable("no such relation"),
        "was lost: server closed the connection. Run the command again once it is back.": (
            psycopg.OperationalError("server closed the connection\n\tmore")
        ),
        "was lost: terminating connection. Run the command again once it is back.": (
            errors.AdminShutdown("terminating connection")
        ),
        "no space left on its disk: could not extend file. Nothing is lost: make room": (
            errors.DiskFull("could not extend file")
        ),
        "refused a statement: syntax error at end of input (SQLSTATE 42601)": (
            errors.SyntaxError("syntax error at end of input")
        ),
    }
    for sentence, error in failures.items():
        result = failed(tmp_path, error)
        assert result.exit_code == 1
        assert sentence in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert result.stdout == ""


def test_a_password_in_the_command_line_is_warned_of(tmp_path: Path) -> None:
    url = "postgresql://user:secret@127.0.0.1:1/db"
    assert "is shown to every user" not in run_command(tmp_path, "status", DATABASE_URL=url).stderr
    for address, warned in (
        (url, True),
        ("postgresql://user@127.0.0.1:1/db?password=secret", True),
        ("host=127.0.0.1 port=1 password=secret", True),
        ("postgresql://user@127.0.0.1:1/db", False),
        ("postgresql://[", False),
    ):
        done = run_command(tmp_path, "--database-url", address, "status")
        assert done.returncode == 1
        assert ("is shown to every user of this machine" in done.stderr) is warned
        assert "secret" not in done.stderr


def test_in_a_log_an_error_quotes_no_customer_and_at_a_terminal_it_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert failed(tmp_path, errors.InvalidTextRepresentation("invalid input: Siddhant")).stderr == (
        "Error: PostgreSQL refused a statement: InvalidTextRepresentation (SQLSTATE 22P02)."
        " Run the command again with LEADS_LOG_LEVEL=DEBUG to see which one.\n"
    )
    error = RebuildFailedError("At 4915.", without_values="At one of them.")
    assert failed(tmp_path, error).stderr == "Error: At one of them.\n"
    monkeypatch.setattr(log, "shows_personal_data", lambda: True)
    assert failed(tmp_path, error).stderr == "Error: At 4915.\n"


def test_with_json_logs_what_cannot_be_used_or_is_misspelt_is_json_too(tmp_path: Path) -> None:
    done = run_command(tmp_path, "run", LEADS_LOG_FORMAT="json", LEADS_REFRESH_BATCH="many")
    [line] = map(json.loads, done.stderr.splitlines())
    assert "LEADS_REFRESH_BATCH: " in line["event"]
    assert (line["level"], done.returncode, done.stdout) == ("error", 2, "")
    done = run_command(
        tmp_path, "status", LEADS_REFRESH_SECOND="2", LEADS_RATE_LIMIT="off", LEADS_LOG_FORMAT="json"
    )
    warned, failed = map(json.loads, done.stderr.splitlines())
    assert warned["level"] == "warning"
    assert warned["event"] == (
        "LEADS_REFRESH_SECOND is no setting and has no effect; the nearest is LEADS_REFRESH_SECONDS."
    )
    assert failed["event"].startswith("There is no database")
    assert (failed["level"], done.returncode, done.stdout) == ("error", 1, "")


def test_no_message_names_code(database: Database) -> None:
    with database.connect() as conn:
        conn.execute("SET default_transaction_read_only = on")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as raised:
            gaps.open_gap(conn, "any")
    assert describe(raised.value) == (
        "PostgreSQL refused a statement: cannot execute INSERT in a read-only transaction (SQLSTATE 25006). Run the"
        " command again with LEADS_LOG_LEVEL=DEBUG to see which one."
    )


def test_no_text_of_the_projector_names_a_module() -> None:
    files = [*(ROOT / "projector").rglob("*.py")]
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files}
    # The loader of SQL speaks to whoever writes a statement.
    trees = [ast.parse(path.read_text("utf-8")) for path in files if path.name != "sql.py"]
    texts = [text for tree in trees for text in _texts_in(tree)]
    assert len(texts) > 1000
    assert not [
        text for text in texts if re.search(r"\w/\w+\.py\b", text) or modules & {*re.findall(r"[\w.]+", text)}
    ]


def _texts_in(tree: ast.AST) -> Iterator[str]:
    """Each text of a module but those that stand alone, as docstrings do."""
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if (
                isinstance(child, ast.Constant)
                and isinstance(child.value, str)
                and not isinstance(node, ast.Expr)
            ):
                yield child.value
