"""The commands of the embedded PostgreSQL."""

import sys

import click

from projector.cli.base import FAILED, Invocation


@click.group()
def server() -> None:
    """Start, stop or delete the embedded PostgreSQL.

    Its files are in LEADS_STATE_DIR, `.leads` in the current folder unless set.
    """


@server.command("start")
@click.pass_obj
def server_start(invocation: Invocation) -> None:
    """Start the embedded PostgreSQL in the background.

    Its data are created first where there are none.

    \b
    Example:
      python -m projector server start && psql "$(python -m projector server url)"
    \b
    Exit codes:
      0  it runs
      1  failed
      2  wrong usage, or a setting that cannot be used
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
      2  wrong usage, or a setting that cannot be used
    """
    stopped = invocation.server.stop()
    click.echo("PostgreSQL is stopped; its data are kept." if stopped else "PostgreSQL did not run.")


@server.command("status")
@click.pass_obj
def server_status(invocation: Invocation) -> None:
    """Show whether the embedded PostgreSQL runs, and where.

    \b
    Example:
      python -m projector server status
    \b
    Exit codes:
      0  it runs
      1  it does not run
      2  wrong usage, or a setting that cannot be used
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
      2  wrong usage, or a setting that cannot be used
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
      2  wrong usage, or a setting that cannot be used
    """
    embedded = invocation.server
    if not yes:
        click.confirm(f"Delete PostgreSQL and its data in {embedded.folder}?", abort=True)
    embedded.remove()
    click.echo("PostgreSQL and its data are deleted.")
