"""The commands of the embedded PostgreSQL."""

import sys

import click

from projector.cli.base import FAILED, Commands, Invocation, cli


@click.group(cls=Commands)
def server() -> None:
    """Start, stop or delete the embedded PostgreSQL.

    Its files are in LEADS_STATE_DIR, `.leads` in the current folder unless set.
    """


cli.add_command(server)


@server.add("start", "it runs", "failed")
def server_start(invocation: Invocation) -> None:
    """Start the embedded PostgreSQL in the background.

    Its data are created first where there are none.

    \b
    Example:
      python -m projector server start && psql "$(python -m projector server url)"
    """
    embedded = invocation.server
    embedded.start()
    click.echo(f"PostgreSQL runs on {embedded.address}, with its files in {embedded.folder}.")


@server.add("stop", "it does not run any more", "failed")
def server_stop(invocation: Invocation) -> None:
    """Stop the embedded PostgreSQL; its data are kept.

    \b
    Example:
      python -m projector server stop
    """
    stopped = invocation.server.stop()
    click.echo("PostgreSQL is stopped; its data are kept." if stopped else "PostgreSQL did not run.")


@server.add("status", "it runs", "it does not run")
def server_status(invocation: Invocation) -> None:
    """Show whether the embedded PostgreSQL runs, and where.

    \b
    Example:
      python -m projector server status
    """
    embedded = invocation.server
    if not embedded.is_running():
        click.echo("PostgreSQL does not run.")
        sys.exit(FAILED)
    click.echo(f"PostgreSQL runs on {embedded.address}, with its files in {embedded.folder}.")


@server.add("url", "printed", "there is no embedded PostgreSQL")
def server_url(invocation: Invocation) -> None:
    """Print the URL of the embedded PostgreSQL, its password included.

    \b
    Example:
      export DATABASE_URL="$(python -m projector server url)"
    """
    click.echo(invocation.server.url())


@server.add("remove", "deleted", "failed, or not confirmed")
@click.option("--yes", is_flag=True, help="Do not ask.")
def server_remove(invocation: Invocation, *, yes: bool) -> None:
    """Stop the embedded PostgreSQL and delete it with all its data.

    \b
    Example:
      python -m projector server remove --yes
    """
    embedded = invocation.server
    if not yes:
        click.confirm(f"Delete PostgreSQL and its data in {embedded.folder}?", abort=True)
    embedded.remove()
    click.echo("PostgreSQL and its data are deleted.")
