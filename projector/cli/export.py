"""The command that writes leads or messages into a file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from projector.cli.base import Invocation, echo
from projector.progress import for_this_terminal
from projector.report import counted

if TYPE_CHECKING:
    from projector.export import Kind

_KINDS = ("leads.csv", "leads.ndjson", "messages.ndjson")
_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])


@click.command()
@click.option("--user", "user_id", metavar="USER_ID", required=True, help="The tenant.")
@click.option(
    "--kind",
    type=click.Choice(_KINDS),
    default="leads.csv",
    show_default=True,
    help="What to write, and how.",
)
@click.option(
    "--output",
    "file",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file. It replaces one of that name when it is whole, and only its owner may read it.",
)
@click.option(
    "--from", "start", metavar="MOMENT", type=_MOMENT, help="Messages at or after this date or time, in UTC."
)
@click.option(
    "--to",
    "end",
    metavar="MOMENT",
    type=_MOMENT,
    help="Messages at or before this date or time, in UTC; a date covers its whole day.",
)
@click.pass_obj
def export(  # noqa: PLR0913, PLR0917  # One argument for each option.
    invocation: Invocation, user_id: str, kind: str, file: Path, start: datetime | None, end: datetime | None
) -> None:
    """Write all leads or messages of a tenant into a file, as the API's exports do, of one moment.

    leads.csv has a row for each lead, leads.ndjson a printed lead on each line, messages.ndjson a message on each line.

    \b
    Examples:
      python -m projector export --user u1 --output leads.csv
      python -m projector export --user u1 --kind messages.ndjson --from 2025-01-01 --output messages.ndjson
    \b
    Exit codes:
      0  the file is whole
      1  failed; the file is as it was before
      2  wrong usage, or a setting that cannot be used
    """
    from projector.export import export as write

    if kind != "messages.ndjson" and (start is not None or end is not None):
        raise click.UsageError("--from and --to are for messages: add --kind messages.ndjson.")
    with invocation.connect("export") as conn:
        done = write(
            conn,
            user_id,
            cast("Kind", kind),
            file,
            start=None if start is None else start.replace(tzinfo=UTC),
            end=None if end is None else _after(end.replace(tzinfo=UTC)),
            progress=for_this_terminal(),
        )
    noun = kind.partition(".")[0].removesuffix("s")
    moment = "" if done.as_of is None else f", as of {done.as_of:%Y-%m-%d %H:%M:%S} UTC"
    echo(f"{file}: {counted(done.count, noun)}{moment}.")


def _after(end: datetime) -> datetime:
    """Return the moment before which messages are that were sent at or before `end`; at midnight, it is a date."""
    is_date = (end.hour, end.minute, end.second) == (0, 0, 0)
    return end + (timedelta(days=1) if is_date else timedelta(milliseconds=1))
