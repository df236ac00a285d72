"""The operator's commands: `python -m projector --help`."""

import dataclasses
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

import click
import psycopg
from psycopg.rows import TupleRow

from projector import config as settings
from projector import log
from projector.config import Config
from projector.db import connect
from projector.embedded import EmbeddedServer
from projector.errors import ProjectorError
from projector.progress import for_this_terminal
from projector.report import RunReport

FAILED = 1
DRIFT = 3

_MISSING = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
)


@dataclasses.dataclass(slots=True)
class Invocation:
    """One call of the command line: its settings, and the connection that it asks for."""

    database_url: str | None
    _config: Config | None = None

    @property
    def config(self) -> Config:
        """The settings; `database_url` is empty where there is no database."""
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
        """The settings with a database: the one given, or the embedded one while it runs."""
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
        """A connection under a name that an operator finds in pg_stat_activity."""
        return connect(self.with_database().database_url, application_name=f"leads-projector {command}")


class Commands(click.Group):
    """A group whose commands end in one clear sentence when something is wrong, never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # As click declares it.
        """Run a command."""
        try:
            return super().invoke(ctx)
        except ProjectorError as error:
            _fail(str(error))
        except psycopg.Error as error:
            if ctx.obj is not None and ctx.obj.config.log_level == "DEBUG":
                raise
            _fail(_in_words(error))
        except KeyboardInterrupt:
            _fail("Interrupted. What was committed stays; run the command again to go on.")


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    sys.exit(FAILED)


def _in_words(error: psycopg.Error) -> str:
    """What PostgreSQL refused, and what to do next."""
    reason = (error.diag.message_primary or str(error).strip().partition("\n")[0]).rstrip(".")
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return (
            f"The database user may not do that: {reason}. Connect as the owner of the platform's tables,"
            " to whom no row security of theirs applies."
        )
    if isinstance(error, _MISSING):
        return (
            f"The read model is not installed, or not complete: {reason}. "
            "Run `python -m projector migrate` first."
        )
    if isinstance(error, psycopg.OperationalError) and error.sqlstate in (
        None,
        "57P01",
        "57P02",
        "57P03",
    ):
        return f"The connection to the database was lost: {reason}. Run the command again once it is back."
    return (
        f"PostgreSQL refused a statement: {reason} (SQLSTATE {error.sqlstate}). "
        "LEADS_LOG_LEVEL=DEBUG shows where."
    )


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--database-url",
    metavar="URL",
    help="The platform's PostgreSQL; otherwise DATABASE_URL, otherwise the embedded one while it runs.",
)
@click.pass_context
def cli(ctx: click.Context, database_url: str | None) -> None:
    """Keep the read model of leads equal to the platform's tables.

    \b
    First installation:   migrate, rebuild, then keep `run` running.
    Every command tells with --help what it does, an example, and its exit codes.
    """
    ctx.obj = Invocation(database_url)


@cli.command()
@click.option(
    "--create-source",
    is_flag=True,
    help="Create the platform's tables too where they are missing, for a trial.",
)
@click.option(
    "--source-schema",
    "source_schemas",
    metavar="NAME",
    multiple=True,
    help="Where the platform's tables are, if not where the last migrate found them, or the search_path leads;"
    " may be repeated.",
)
@click.pass_obj
def migrate(invocation: Invocation, *, create_source: bool, source_schemas: Sequence[str]) -> None:
    """Install the read model, or bring it up to date.

    Safe to run again at every deploy. It stands beside the platform's tables, which stay as they are but for
    the triggers that note which leads changed.

    \b
    Example:
      python -m projector --database-url postgresql://user:password@host/db migrate
    \b
    Exit codes:
      0  installed and up to date
      1  failed; what is done stays: run it again to go on
      2  wrong usage
    """
    from projector.migrate import migrate as run_migrate

    with invocation.connect("migrate") as conn:
        for notice in run_migrate(conn, create_source=create_source, source_schemas=source_schemas):
            click.echo(notice)
    click.echo("The read model is installed and up to date.")


@cli.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def uninstall(invocation: Invocation, *, yes: bool) -> None:
    """Take away everything of ours; the platform's tables stay.

    The triggers go first, so that the platform's writes cannot fail meanwhile.

    \b
    Example:
      python -m projector uninstall --yes
    \b
    Exit codes:
      0  nothing of ours is left
      1  failed, or not confirmed
      2  wrong usage
    """
    from projector.migrate import uninstall as run_uninstall

    with invocation.connect("uninstall") as conn:
        if not yes:
            click.confirm(f"Delete the read model from {_place(conn)}?", abort=True)
        run_uninstall(conn)
    click.echo("The read model and its triggers are gone; the platform's tables are as they were.")


@cli.command()
@click.option(
    "--user", "users", multiple=True, metavar="USER_ID", help="Only this tenant; may be given several times."
)
@click.pass_obj
def rebuild(invocation: Invocation, users: Sequence[str]) -> None:
    """Make the read model anew from all source rows.

    Of all tenants, or of those that --user names. Readers see the old rows until the new ones are there.
    It can be interrupted and started again at any time.

    \b
    Examples:
      python -m projector rebuild
      python -m projector rebuild --user 789895c8-4bd6-43e9-bfea-a4171ec47197
    \b
    Exit codes:
      0  rebuilt
      1  failed; the old rows are still served
      2  wrong usage
    """
    from projector.healing import rebuild_everything
    from projector.rebuild import rebuild as run_rebuild

    with invocation.connect("rebuild") as conn:
        if users:
            report = run_rebuild(conn, tenants=list(users), progress=for_this_terminal())
        else:
            report = rebuild_everything(conn, progress=for_this_terminal())
        _echo_report(report)


@cli.command()
@click.option("--retry-failed", is_flag=True, help="Try the leads that were set aside with an error, too.")
@click.pass_obj
def refresh(invocation: Invocation, *, retry_failed: bool) -> None:
    """Bring in every change that was committed before the start.

    Waits for refreshes that are under way, and heals a capture gap, before it returns.
    `run` does the same all the time.

    \b
    Example, from cron every minute:
      * * * * *  python -m projector refresh
    \b
    Exit codes:
      0  everything committed before the start is in the read model
      1  failed, or something blocks it; the message says what
      2  wrong usage
    """
    from projector.healing import refresh_and_heal

    with invocation.connect("refresh") as conn:
        report = refresh_and_heal(
            conn,
            retry_failed=retry_failed,
            progress=for_this_terminal(),
            size=invocation.config.refresh_batch,
            queue_limit=invocation.config.queue_limit,
        )
    _echo_report(report)


@cli.command()
@click.pass_obj
def run(invocation: Invocation) -> None:
    """Run the scheduler until SIGTERM or Ctrl-C.

    It refreshes within a second, and verifies and rebuilds by their cron expressions. Any number of them may
    run against one database: they share the work, and one that is killed is replaced by the others.

    \b
    Example:
      LEADS_REFRESH_SECONDS=1 python -m projector run
    \b
    Exit codes:
      0  ended by SIGTERM or Ctrl-C
      1  could not start
      2  wrong usage
    """
    from projector.scheduler import run as run_scheduler

    run_scheduler(invocation.with_database())


@cli.command()
@click.option(
    "--user",
    "users",
    multiple=True,
    metavar="USER_ID",
    help="All leads of this tenant; may be given several times.",
)
@click.option("--all", "everything", is_flag=True, help="All leads of all tenants.")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="So many leads by chance. [default: LEADS_VERIFY_SAMPLE]",
)
@click.option("--heal", is_flag=True, help="Correct the leads that differ.")
@click.pass_obj
def verify(
    invocation: Invocation, users: Sequence[str], *, everything: bool, sample: int | None, heal: bool
) -> None:
    """Compare leads with what their source rows say now.

    Leads with a change that waits are left out. A difference is drift: it should never happen, and is a bug
    where it does.

    \b
    Examples:
      python -m projector verify --sample 2000
      python -m projector verify --user 789895c8-4bd6-43e9-bfea-a4171ec47197 --heal
    \b
    Exit codes:
      0  no difference
      1  failed
      2  wrong usage
      3  drift found, healed or not
    """
    if (len(users) > 0) + everything + (sample is not None) > 1:
        raise click.UsageError("--user, --all and --sample say each what to verify: give one of them.")
    from projector.verify import verify as run_verify

    size = None if users or everything else sample or invocation.config.verify_sample
    with invocation.connect("verify") as conn:
        report = run_verify(
            conn, tenants=list(users) or None, sample=size, heal=heal, progress=for_this_terminal()
        )
    for drift in report.drifts:
        click.echo(
            f"{drift.user_id} {drift.customer_phone} {drift.field}: "
            f"expected {drift.expected}, found {drift.found}"
        )
    click.echo(
        f"{report.checked:,} leads verified, {report.left_out:,} left out because a change waits: "
        f"{len(report.drifts):,} differences, {report.healed:,} leads healed."
    )
    if report.drifts:
        if not heal:
            click.echo("Run the same again with --heal to correct them.")
        sys.exit(DRIFT)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def status(invocation: Invocation, *, as_json: bool) -> None:
    """Tell in one screen how the read model is.

    Lag, queue, last runs, running rebuild, leads set aside, state of capture, sizes.

    \b
    Examples:
      python -m projector status
      python -m projector status --json | jq .
    \b
    Exit codes:
      0  fine
      1  something needs a person (it says what), or failed
      2  wrong usage
    """
    import orjson

    from projector.status import read_status

    with invocation.connect("status") as conn:
        found = read_status(conn)
    if as_json:
        options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z
        click.echo(orjson.dumps(found.as_dict(), default=str, option=options).decode())
    else:
        click.echo(found.render())
    if found.attention:
        sys.exit(FAILED)


@cli.group()
def capture() -> None:
    """Switch the triggers off in an emergency, and on again.

    While they are off the platform's writes cost nothing extra, and the read model stays as it is.
    """


@capture.command("off")
@click.option("--reason", default="switched off by hand", help="What `status` shows as long as it is off.")
@click.pass_obj
def capture_off(invocation: Invocation, reason: str) -> None:
    """Stop noting changes.

    `status` shows a capture gap until they are noted again and what was missed is rebuilt.

    \b
    Example:
      python -m projector capture off --reason "bulk import of 2026-11-25"
    \b
    Exit codes:
      0  off
      1  failed
      2  wrong usage
    """
    from projector.capture import switch_off

    with invocation.connect("capture") as conn:
        switch_off(conn, reason)
    click.echo("Capture is off. Changes are not seen until `python -m projector capture on`.")


@capture.command("on")
@click.pass_obj
def capture_on(invocation: Invocation) -> None:
    """Note changes again.

    The next refresh rebuilds what may have been missed.

    \b
    Example:
      python -m projector capture on
    \b
    Exit codes:
      0  on
      1  failed
      2  wrong usage
    """
    from projector.capture import switch_on

    with invocation.connect("capture") as conn:
        switch_on(conn)
    click.echo("Capture is on. The scheduler, or `python -m projector refresh`, heals what was missed.")


@cli.command()
@click.option(
    "--tenants", type=click.IntRange(min=0), default=0, help="So many tenants for a benchmark; 0: the demo."
)
@click.option("--leads", type=click.IntRange(min=1), help="Leads of each tenant. [default: 2000]")
@click.option("--messages-per-lead", type=click.FloatRange(min=0), help="On average. [default: 12]")
@click.option("--seed", type=int, help="Another seed gives other rows. [default: 1]")
@click.option(
    "--yes", is_flag=True, help="Do not ask before writing into a database that is not the embedded one."
)
@click.pass_obj
def demo(  # noqa: PLR0913  # One for each option.
    invocation: Invocation,
    *,
    tenants: int,
    leads: int | None,
    messages_per_lead: float | None,
    seed: int | None,
    yes: bool,
) -> None:
    """Load made-up source rows, for a trial or a benchmark.

    The tenant of the API reference and a larger one, or with --tenants many of any size. Only source tables
    are written; `refresh`, `rebuild` or a running scheduler make leads of their rows.

    \b
    Examples:
      python -m projector demo
      python -m projector demo --tenants 10 --leads 100000 --messages-per-lead 20
    \b
    Exit codes:
      0  loaded
      1  failed, or not confirmed
      2  wrong usage
    """
    from projector import demo as demo_data

    with invocation.connect("demo") as conn:
        if invocation.config.database_url and not yes:
            click.confirm(f"Write made-up rows into the platform's tables in {_place(conn)}?", abort=True)
        report = demo_data.load(
            conn,
            tenants=tenants,
            leads=demo_data.DEFAULT_LEADS if leads is None else leads,
            messages_per_lead=(
                demo_data.DEFAULT_MESSAGES_PER_LEAD if messages_per_lead is None else messages_per_lead
            ),
            seed=demo_data.DEFAULT_SEED if seed is None else seed,
            today=datetime.now(UTC).date(),
            progress=for_this_terminal(),
        )
    click.echo(
        f"{len(report.user_ids):,} tenants, {report.leads:,} leads, {report.messages:,} messages "
        f"in {report.seconds:.1f} s."
    )
    for user_id in report.user_ids[:5]:
        click.echo(f"  {user_id}")
    if len(report.user_ids) > len(report.user_ids[:5]):
        click.echo(f"  and {len(report.user_ids) - 5:,} more")


@cli.group()
def server() -> None:
    """Start, stop or delete the embedded PostgreSQL.

    Its files are in LEADS_STATE_DIR, `.leads` in the current folder unless set.
    """


@server.command("start")
@click.pass_obj
def server_start(invocation: Invocation) -> None:
    """Start the embedded PostgreSQL in the background.

    It is made first where there is none.

    \b
    Example:
      python -m projector server start && psql "$(python -m projector server url)"
    \b
    Exit codes:
      0  it runs
      1  failed
      2  wrong usage
    """
    embedded = invocation.server
    embedded.start()
    for notice in embedded.notices:
        click.echo(notice)
    click.echo(f"PostgreSQL runs on {embedded.address}, with its files in {embedded.folder}.")


@server.command("stop")
@click.pass_obj
def server_stop(invocation: Invocation) -> None:
    """Stop the embedded PostgreSQL; its data are kept.

    \b
    Example:
      python -m projector server stop
    \b
    Exit codes:
      0  it does not run any more
      1  failed
      2  wrong usage
    """
    stopped = invocation.server.stop()
    click.echo("PostgreSQL is stopped; its data are kept." if stopped else "PostgreSQL did not run.")


@server.command("status")
@click.pass_obj
def server_status(invocation: Invocation) -> None:
    """Tell whether the embedded PostgreSQL runs, and where.

    \b
    Example:
      python -m projector server status
    \b
    Exit codes:
      0  it runs
      1  it does not run
      2  wrong usage
    """
    embedded = invocation.server
    if not embedded.is_running():
        click.echo("PostgreSQL does not run.")
        sys.exit(FAILED)
    click.echo(f"PostgreSQL runs on {embedded.address}, with its files in {embedded.folder}.")


@server.command("url")
@click.pass_obj
def server_url(invocation: Invocation) -> None:
    """Print the URL of the embedded PostgreSQL, its password included.

    \b
    Example:
      export DATABASE_URL="$(python -m projector server url)"
    \b
    Exit codes:
      0  printed
      1  there is no embedded PostgreSQL
      2  wrong usage
    """
    click.echo(invocation.server.url())


@server.command("remove")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def server_remove(invocation: Invocation, *, yes: bool) -> None:
    """Stop the embedded PostgreSQL and delete it with all its data.

    \b
    Example:
      python -m projector server remove --yes
    \b
    Exit codes:
      0  deleted
      1  failed, or not confirmed
      2  wrong usage
    """
    embedded = invocation.server
    if not yes:
        click.confirm(f"Delete PostgreSQL and its data in {embedded.folder}?", abort=True)
    embedded.remove()
    click.echo("PostgreSQL and its data are deleted.")


@cli.command(hidden=True)
@click.pass_obj
def local(invocation: Invocation) -> None:
    """Run everything here in the foreground, as `make run` does.

    \b
    Exit codes:
      0  ended by SIGTERM or Ctrl-C
      1  could not start, or a part of it ended by itself
      2  wrong usage
    """
    from projector.local import run as run_here

    run_here(invocation.config)


def _place(conn: psycopg.Connection[TupleRow]) -> str:
    return f"the database {conn.info.dbname} on {conn.info.host}"


def _echo_report(report: RunReport) -> None:
    click.echo(
        f"{report.kind.capitalize()}: {report.leads:,} leads, {report.messages:,} messages, "
        f"{report.changes:,} changes in {report.seconds:.1f} s."
    )
    for note in report.notes:
        click.echo(note)


def main() -> None:
    """Run the command line."""
    cli(prog_name="python -m projector")


if __name__ == "__main__":
    main()
