"""The operator's command line: `python -m projector --help`.

A command imports what it runs only when it is called, so that `--help` answers at once.
"""

import click

from projector import __version__
from projector.cli import demo, erase, export, inspect, install, run, server
from projector.cli.base import Commands, Invocation
from projector.database.sql import PROJECTION_VERSION

__all__ = ["Invocation", "cli", "main"]


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


for _command in (
    install.migrate,
    install.uninstall,
    install.capture,
    run.rebuild,
    run.refresh,
    run.run,
    run.verify,
    run.local,
    inspect.assess,
    inspect.status,
    inspect.tenants,
    inspect.explain,
    export.export,
    erase.erase,
    demo.demo,
    server.server,
):
    cli.add_command(_command)


def main() -> None:
    """Run the command line."""
    cli(prog_name="python -m projector")
