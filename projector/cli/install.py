"""The commands that install and remove the read model, and that switch capture off and on."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory

import click

from projector.cli.base import FAILED, Commands, Invocation, cli, echo, place_of, telling_waits
from projector.report.errors import ProjectorError


@cli.add(
    "migrate",
    "installed and up to date; with --check, the mapping misses nothing",
    "failed; what is done stays: run it again to go on; or the API cannot read before a superuser has run the"
    " statements that --sql prints; with --check, it misses changes (it says which), or failed",
)
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
@click.option(
    "--mapping",
    "mapping",
    metavar="FOLDER",
    help="A folder of SQL that reads tables of your own; `default` returns to the reference tables."
    " It is stored: without the option, the stored one stays.",
)
@click.option(
    "--citus",
    "distribute",
    is_flag=True,
    help="Once, on the coordinator of a Citus cluster: distribute the read model over its servers, by tenant.",
)
@click.option(
    "--sql",
    "is_sql",
    is_flag=True,
    help="Print nothing on standard output but the statements that this login may not run, for psql of a superuser.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Install nothing: change sampled rows in a scratch database, and say which changes the mapping misses.",
)
def migrate(  # noqa: PLR0913  # One argument for each option.
    invocation: Invocation,
    *,
    create_source: bool,
    source_schemas: Sequence[str],
    mapping: str | None,
    distribute: bool,
    is_sql: bool,
    check: bool,
) -> None:
    """Install the read model, or bring it up to date.

    Safe to run again at every deploy. The platform's tables stay as they are, except for triggers that note which
    leads changed.

    \b
    Examples:
      DATABASE_URL=postgresql://user:password@host/db python -m projector migrate
      python -m projector migrate --sql | psql SUPERUSER_URL
      python -m projector migrate --mapping our-tables/
      python -m projector migrate --mapping our-tables/ --check
    """
    from projector.capture.texts import read_mapping
    from projector.operate.assess import find_stored_figures, in_lines
    from projector.operate.install import migrate as run_migrate
    from projector.operate.roles import SuperuserNotice, left_for_superuser, read_access

    if check:
        if create_source or distribute or is_sql:
            raise click.UsageError("With --check only --mapping and --source-schema can be given.")
        _check(invocation, source_schemas, mapping)
        return
    with invocation.connect("migrate") as conn, telling_waits(conn):
        notices = run_migrate(
            conn,
            create_source=create_source,
            source_schemas=source_schemas,
            distribute=distribute,
            mapping=read_mapping(mapping) if mapping is not None else None,
        )
        left = []
        for notice in notices:
            if isinstance(notice, SuperuserNotice):
                clause, _, statements = notice.partition(":\n")
                left.append(clause)
                if is_sql:
                    echo(statements)
            else:
                echo(notice, err=is_sql)
        if mapping is not None:
            echo(in_lines(find_stored_figures(conn)), err=is_sql)
        has_api = read_access(conn).has_api_role
    if not left:
        click.echo("The read model is installed and up to date.", err=is_sql)
        return
    said = left_for_superuser("; ".join(left), "" if mapping is None else f" --mapping {quote(mapping)}")
    if not has_api and not is_sql:
        raise ProjectorError(said)
    echo(said, err=is_sql)


def _check(invocation: Invocation, source_schemas: Sequence[str], mapping: str | None) -> None:
    """Print the changes that the mapping misses; exit with FAILED if there are any."""
    from projector.capture.texts import read_mapping
    from projector.operate.assess import as_dict, in_lines
    from projector.operate.assess.check import check_mapping
    from projector.trial.postgres.embedded import EmbeddedServer

    @contextmanager
    def embedded() -> Iterator[str]:
        click.echo(
            "The login may not create a database: a PostgreSQL is started here for the check.", err=True
        )
        with TemporaryDirectory(prefix="leads-check-") as folder:
            server = EmbeddedServer(Path(folder), invocation.config.pg_bin, {"fsync": "off"})
            try:
                yield server.start()
            finally:
                server.remove()

    texts = read_mapping(mapping) if mapping is not None else None
    click.echo("Changing sampled rows in a scratch database: this takes a minute or two.", err=True)
    # SIGTERM then acts like Ctrl-C, so that the scratch database is removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with invocation.connect("check") as conn:
        facts = check_mapping(conn, source_schemas, texts, embedded)
    echo(in_lines(facts))
    if not as_dict(facts)["fits"]:
        sys.exit(FAILED)


@cli.add("uninstall", "removed", "failed, not confirmed, or something of others depends on the read model")
@click.option("--yes", is_flag=True, help="Do not ask. It never drops what others made.")
@click.option(
    "--drop-dependents",
    is_flag=True,
    help="Drop also what others made and what depends on the read model, such as their views.",
)
def uninstall(invocation: Invocation, *, yes: bool, drop_dependents: bool) -> None:
    """Remove all that migrate added; the platform's tables stay.

    Refuses, and changes nothing, where views, functions or other objects of others depend on the read model: it lists
    them. The triggers go first, so that the platform's writes cannot fail meanwhile.

    \b
    Example:
      python -m projector uninstall --yes
    """
    from projector.operate.uninstall import check_uninstall, in_lines
    from projector.operate.uninstall import uninstall as run_uninstall

    with invocation.connect("uninstall") as conn:
        with telling_waits(conn):
            doomed = check_uninstall(conn, drop_dependents=drop_dependents)
        if doomed and not yes:
            echo(f"What others made depends on the read model and goes too:\n{in_lines(doomed)}")
        if not yes:
            click.confirm(f"Delete the read model from {place_of(conn)}?", abort=True)
        with telling_waits(conn):
            for notice in run_uninstall(conn, drop_dependents=drop_dependents):
                echo(notice)
    click.echo("The read model and its triggers are gone; the platform's tables are as they were.")


@click.group(cls=Commands)
def capture() -> None:
    """Switch the triggers off in an emergency, and on again.

    While they are off, the platform's writes cost nothing extra and the read model stays as it is.
    """


cli.add_command(capture)


@capture.add("off", "off", "failed")
@click.option("--reason", default="switched off by hand", help="What `status` shows as long as it is off.")
def capture_off(invocation: Invocation, reason: str) -> None:
    """Stop noting changes.

    `status` says that capture is off until `capture on`, and then shows a capture gap until a rebuild has
    covered what was missed.

    \b
    Example:
      python -m projector capture off --reason "bulk import of 2026-11-25"
    """
    from projector.capture.control import switch_off

    with invocation.connect("capture") as conn, telling_waits(conn):
        switch_off(conn, reason)
    click.echo("Capture is off. Changes are not seen until `python -m projector capture on`.")


@capture.add("on", "on", "failed")
def capture_on(invocation: Invocation) -> None:
    """Note changes again.

    The next refresh rebuilds what may have been missed.

    \b
    Example:
      python -m projector capture on
    """
    from projector.capture.control import switch_on

    with invocation.connect("capture") as conn, telling_waits(conn):
        switch_on(conn)
    click.echo(
        "Capture is on. If changes were missed, the scheduler or `python -m projector refresh` brings them in."
    )
