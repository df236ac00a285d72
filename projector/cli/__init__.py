"""The operator's command line: `python -m projector --help`.

A command imports what it runs only when it is called, so that `--help` answers at once.
"""

# Each of them adds its commands.
from projector.cli import demo, erase, export, inspect, install, run, server
from projector.cli.base import Invocation, cli

__all__ = ["Invocation", "cli", "demo", "erase", "export", "inspect", "install", "main", "run", "server"]


def main() -> None:
    """Run the command line."""
    cli(prog_name="python -m projector")
