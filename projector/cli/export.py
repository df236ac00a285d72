"""The command that writes leads or messages into a file."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from projector.cli.base import Invocation, cli, echo
from projector.report.counted import counted
from projector.report.progress import for_this_terminal

KINDS = ("leads.csv", "leads.ndjson", "messages.ndjson")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _moment(text: str) -> tuple[datetime, datetime]:
    """Return the first moment of a date, or of a date with a time, and the first one after it; in UTC by default."""
    try:
        if _DATE.fullmatch(text):
            midnight = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return midnight, midnight + timedelta(days=1)
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        # The read model keeps milliseconds.
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        return moment, moment + timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is no date such as 2025-01-31 or 2025-01-31T09:30:00Z.") from None


@cli.add("export", "the file is whole", "failed; the file is as it was before")
@click.option("--user", "user_id", metavar="USER_ID", required=True, help="The tenant.")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="What to write, and how.  [default: by the ending of FILE, else leads.csv]",
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
    "--from",
    "start",
    metavar="MOMENT",
    type=_moment,
    help="Messages at or after this date or time, in UTC.",
)
@click.option(
    "--to",
    "end",
    metavar="MOMENT",
    type=_moment,
    help="Messages at or before this date or time, in UTC; a date covers its whole day.",
)
def export(  # noqa: PLR0913, PLR0917  # One argument for each option.
    invocation: Invocation,
    user_id: str,
    kind: str | None,
    file: Path,
    start: tuple[datetime, datetime] | None,
    end: tuple[datetime, datetime] | None,
) -> None:
    """Write all leads or messages of a tenant into a file.

    It has what the API's exports have, of one moment.
    leads.csv has a row for each lead, leads.ndjson a printed lead on each line, messages.ndjson a message on each line.

    \b
    Examples:
      python -m projector export --user u1 --output leads.csv
      python -m projector export --user u1 --output leads.ndjson
      python -m projector export --user u1 --kind messages.ndjson --from 2025-01-01 --output messages.ndjson
    """
    from projector.operate.export import export as write

    if kind is None:
        by_ending = "leads.ndjson" if file.suffix == ".ndjson" else "leads.csv"
        kind = file.name if file.name in KINDS else by_ending
    if kind != "messages.ndjson" and (start is not None or end is not None):
        raise click.UsageError("--from and --to are for messages: add --kind messages.ndjson.")
    with invocation.connect("export") as conn:
        count, as_of = write(
            conn,
            user_id,
            kind,
            file,
            start=None if start is None else start[0],
            end=None if end is None else end[1],
            progress=for_this_terminal(),
        )
    noun = kind.partition(".")[0].removesuffix("s")
    moment = "" if as_of is None else f", as of {as_of:%Y-%m-%d %H:%M:%S} UTC"
    echo(f"{file}: {counted(count, noun)}{moment}.")
