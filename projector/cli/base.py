"""Settings, connection and error messages that all commands share."""

import dataclasses
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from inspect import cleandoc
from typing import Any, NoReturn

import click
import orjson
import psycopg
import structlog

from projector import __version__
from projector import config as settings
from projector.capture.source import naming_missing_source
from projector.config import Config
from projector.database import lock_waits
from projector.database.connect import connect
from projector.database.rows import Connection
from projector.database.sql import PROJECTION_VERSION
from projector.report import log
from projector.report.counted import RunReport, counted, escape_json, escape_lines
from projector.report.errors import (
    ConfigurationError,
    ProjectorError,
    condition,
    detail,
    reason_of,
    without_values,
)
from projector.trial.postgres.embedded import EmbeddedServer

FAILED = 1
"""Exit code of a command that failed, or that found something that needs a person."""

WRONG_USAGE = 2
"""Exit code of a command that was called with options or settings that it cannot use."""

DRIFT = 3
"""Exit code of a verify that found drift."""

SHOWN_BY_PS = (
    "The password in --database-url is shown to every user of this machine by `ps`. Set DATABASE_URL instead, or leave"
    " the password to a file ~/.pgpass or to a service file of libpq (--database-url service=NAME)."
)

# SQLSTATEs of a server that stops, crashed, or starts; an error without one comes from libpq itself.
_CONNECTION_LOST = (None, "57P01", "57P02", "57P03")
_log = structlog.get_logger(__name__)


@dataclasses.dataclass
class Invocation:
    """One call of the command line: its settings, and the connection that it asks for."""

    database_url: str | None

    @cached_property
    def config(self) -> Config:
        """The settings. `database_url` is empty where no database is configured.

        Raises ConfigurationError where a setting cannot be used.
        """
        try:
            config = settings.load()
        except ConfigurationError as error:
            log.configure("INFO", error.log_format or "auto")
            raise
        log.configure(config.log_level, config.log_format, personal_data=config.log_personal_data)
        for sentence in config.warnings:
            _log.warning(sentence)
        if self.database_url:
            # libpq's own message on an address that it cannot read follows when it connects.
            with suppress(psycopg.Error):
                if psycopg.conninfo.conninfo_to_dict(self.database_url).get("password"):
                    _log.warning(SHOWN_BY_PS)
            config = dataclasses.replace(config, database_url=self.database_url)
        return config

    @property
    def server(self) -> EmbeddedServer:
        """The embedded server, running or not."""
        return EmbeddedServer(self.config.state_dir, self.config.pg_bin)

    def with_database(self) -> Config:
        """Return the settings with a database: the configured one, or the embedded one while it runs.

        Raises ProjectorError where there is neither.
        """
        if self.config.database_url:
            return self.config
        server = self.server
        if not server.is_running():
            raise ProjectorError(
                "There is no database: set DATABASE_URL or --database-url, "
                "or start the embedded one with `python -m projector server start`."
            )
        return dataclasses.replace(self.config, database_url=server.url())

    @contextmanager
    def connect(self, command: str) -> Iterator[Connection]:
        """Connect under a name that an operator finds in pg_stat_activity, and close the connection after the block.

        Raises SourceMissingError where the block fails because the source lacks a table or a column.
        """
        config, name = self.with_database(), f"leads-projector {command}"
        with (
            connect(config.database_url, application_name=name) as conn,
            naming_missing_source(conn),
        ):
            yield conn


def place_of(conn: Connection) -> str:
    """Return the database of a connection in words, for a question to the operator."""
    return f"the database {conn.info.dbname} on {conn.info.host}"


class Commands(click.Group):
    """A group whose commands report an error as one clear sentence, never as a traceback."""

    def add(
        self, name: str, done: str, failed: str, drift: str | None = None, *, hidden: bool = False
    ) -> Callable[[Callable[..., None]], click.Command]:
        """Make a function a command, which takes an Invocation first. Its help ends with what its exit codes mean."""
        meanings = (done, failed, "wrong usage, or a setting that cannot be used", drift)
        lines = [f"  {code}  {meaning}" for code, meaning in enumerate(meanings) if meaning is not None]

        def make(function: Callable[..., None]) -> click.Command:
            text = "\n".join((cleandoc(function.__doc__ or ""), "", "\b", "Exit codes:", *lines))
            return self.command(name, help=text, hidden=hidden)(click.pass_obj(function))

        return make

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # As click declares it.
        """Run a command."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            _fail(str(error), WRONG_USAGE)
        except ProjectorError as error:
            _fail(_told(error, str(error)))
        except psycopg.Error as error:
            if ctx.obj is not None and ctx.obj.config.log_level == "DEBUG":
                raise
            _fail(describe(error))
        except KeyboardInterrupt:
            _fail("Interrupted. What was committed stays; run the command again.")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--database-url",
    metavar="URL",
    help="The platform's PostgreSQL; otherwise DATABASE_URL, otherwise the embedded one while it runs.",
)
@click.version_option(
    __version__,
    message=f"leads-projector {__version__}, projection version {PROJECTION_VERSION}",
    help="Print the version of the program and its projection version.",
)
@click.pass_context
def cli(ctx: click.Context, database_url: str | None) -> None:
    """Keep the read model of leads equal to the platform's tables.

    \b
    First installation:   migrate, rebuild, then keep `run` running.
    `--help` of each command shows what it does, an example, and its exit codes.
    """
    ctx.obj = Invocation(database_url)


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")


def echo(text: str, *, err: bool = False) -> None:
    """Print a text with control characters escaped, because it may repeat what others wrote."""
    click.echo(escape_lines(text), err=err)


def echo_json(content: object) -> None:
    """Print an object as JSON, with control characters escaped, so that it cannot control a terminal."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z
    click.echo(escape_json(orjson.dumps(content, default=str, option=options).decode()))


def describe(error: psycopg.Error) -> str:
    """Return a sentence on what PostgreSQL refused, and what the operator can do next."""
    reason = _told(error, (error.diag.message_primary or reason_of(error)).rstrip("."))
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return (
            f"The database user may not do that: {reason}. Connect as the owner of the platform's tables, to whom no"
            " row security of theirs applies; migrate says where the read model belongs to another role."
        )
    if isinstance(error, psycopg.OperationalError) and error.sqlstate in _CONNECTION_LOST:
        return f"The connection to the database was lost: {reason}. Run the command again once it is back."
    if isinstance(error, psycopg.errors.DiskFull):
        return (
            f"The server has no space left on its disk: {reason}. Nothing is lost: make room, and run the command"
            " again. A running scheduler goes on by itself."
        )
    if (
        isinstance(error, psycopg.errors.DependentObjectsStillExist | psycopg.errors.FeatureNotSupported)
        and error.diag.message_detail
    ):
        # It names the view, or another object of somebody else, that is in the way.
        reason = f"{reason}: {detail(error)}"
    if reason != condition(error):
        reason = f"{reason} (SQLSTATE {error.sqlstate})"
    where = "Run the command again with LEADS_LOG_LEVEL=DEBUG to see which one."
    return f"PostgreSQL refused a statement: {reason}. {where}"


def telling_waits(conn: Connection) -> AbstractContextManager[None]:
    """Say on stderr, while the block waits for a lock for more than two seconds, which one and who holds it."""
    return lock_waits.telling_waits(conn, lambda sentence: echo(sentence, err=True))


def echo_report(report: RunReport) -> None:
    """Print what a run did, and its notes, one a line."""
    click.echo(
        f"{report.kind.capitalize()}: {counted(report.leads, 'lead')}, {counted(report.messages, 'message')}, "
        f"{counted(report.changes, 'change')} in {report.seconds:.1f} s."
    )
    for note in report.notes:
        echo(note)


def _told(error: Exception, text: str) -> str:
    """Return the text of an error; if it goes to a log and not to a person, without values of customers."""
    if sys.stderr.isatty() or log.shows_personal_data():
        return text
    hidden = without_values(error)
    return text if hidden is None else hidden


def _fail(message: str, code: int = FAILED) -> NoReturn:
    if log.is_json():
        _log.error(message)
    else:
        echo(f"Error: {message}", err=True)
    sys.exit(code)
