"""What all commands share: their settings and connection, and the words for what goes wrong."""

import dataclasses
import sys
import traceback
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

import click
import psycopg
from psycopg.rows import TupleRow

import projector
from projector import config as settings
from projector import log
from projector.config import Config
from projector.db import connect
from projector.errors import NOT_INSTALLED, ProjectorError
from projector.postgres.embedded import EmbeddedServer
from projector.report import RunReport, counted

FAILED = 1
"""Exit code of a command that failed, or that found something that needs a person."""

DRIFT = 3
"""Exit code of a verify that found drift."""

# SQLSTATEs of a server that stops, crashed, or starts; an error without one comes from libpq itself.
_CONNECTION_LOST = (None, "57P01", "57P02", "57P03")
_PACKAGE = Path(projector.__file__).parent


@dataclasses.dataclass(slots=True)
class Invocation:
    """One call of the command line: its settings, and the connection that it asks for."""

    database_url: str | None
    _config: Config | None = None

    @property
    def config(self) -> Config:
        """The settings. `database_url` is empty where no database is configured.

        Raises ConfigurationError where a setting cannot be used.
        """
        if self._config is None:
            found = settings.load()
            log.configure(found.log_level, found.log_format)
            if self.database_url:
                found = dataclasses.replace(found, database_url=self.database_url)
            self._config = found
        return self._config

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

    def connect(self, command: str) -> psycopg.Connection[TupleRow]:
        """Return a new connection, under a name that an operator finds in pg_stat_activity."""
        return connect(self.with_database().database_url, application_name=f"leads-projector {command}")


class Commands(click.Group):
    """A group whose commands report an error as one clear sentence, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # As click declares it.
        """Run a command."""
        try:
            return super().invoke(ctx)
        except ProjectorError as error:
            _fail(str(error))
        except psycopg.Error as error:
            if ctx.obj is not None and ctx.obj.config.log_level == "DEBUG":
                raise
            _fail(describe(error))
        except KeyboardInterrupt:
            _fail("Interrupted. What was committed stays; run the command again to go on.")


def describe(error: psycopg.Error) -> str:
    """Return a sentence on what PostgreSQL refused, and what the operator can do next."""
    reason = (error.diag.message_primary or str(error).strip().partition("\n")[0]).rstrip(".")
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return (
            f"The database user may not do that: {reason}. Connect as the owner of the platform's tables, to whom no"
            " row security of theirs applies; migrate says where the read model belongs to another role."
        )
    if isinstance(error, NOT_INSTALLED):
        return (
            f"The read model is not installed, or not complete: {reason}. "
            "Run `python -m projector migrate` first."
        )
    if isinstance(error, psycopg.OperationalError) and error.sqlstate in _CONNECTION_LOST:
        return f"The connection to the database was lost: {reason}. Run the command again once it is back."
    if (
        isinstance(error, psycopg.errors.DependentObjectsStillExist | psycopg.errors.FeatureNotSupported)
        and error.diag.message_detail
    ):
        # It names the view, or another object of somebody else, that is in the way.
        reason = f"{reason}: {'; '.join(error.diag.message_detail.rstrip('.').splitlines())}"
    return (
        f"PostgreSQL refused a statement{_origin(error)}: {reason} (SQLSTATE {error.sqlstate}). "
        "LEADS_LOG_LEVEL=DEBUG shows where."
    )


def telling_waits(
    invocation: Invocation, conn: psycopg.Connection[TupleRow], command: str
) -> AbstractContextManager[None]:
    """Say on stderr, while the block waits for a lock for more than two seconds, which one and who holds it."""
    from projector import waiting

    return waiting.telling_waits(
        conn,
        lambda: invocation.connect(f"{command}, watching"),
        lambda sentence: click.echo(sentence, err=True),
    )


def place_of(conn: psycopg.Connection[TupleRow]) -> str:
    """Return which database a connection leads to, for a question to the operator."""
    return f"the database {conn.info.dbname} on {conn.info.host}"


def echo_report(report: RunReport) -> None:
    """Print what a run did, and its notes, one a line."""
    click.echo(
        f"{report.kind.capitalize()}: {counted(report.leads, 'lead')}, {counted(report.messages, 'message')}, "
        f"{counted(report.changes, 'change')} in {report.seconds:.1f} s."
    )
    for note in report.notes:
        click.echo(note)


def _origin(error: psycopg.Error) -> str:
    """Return which function of ours sent the statement; nothing where that is not known."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(_PACKAGE)
        and _PACKAGE / "cli" not in Path(frame.filename).parents
    ]
    if not ours:
        return ""
    return f" of {Path(ours[-1].filename).relative_to(_PACKAGE.parent)}, {ours[-1].name}"


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    sys.exit(FAILED)
