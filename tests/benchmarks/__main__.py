"""`python -m tests.benchmarks`: make data, measure, and write a table and a JSON file."""

import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic

import click

from tests.benchmarks import (
    capture,
    disk_and_wal,
    export,
    feed,
    guard,
    mixed,
    projectors,
    reads,
    rebuild,
    refresh,
    report,
    roads,
    scale,
    search,
    totals,
    verify,
    visible,
)
from tests.benchmarks.core import Failure, Row
from tests.benchmarks.fixtures import SIZES, Fixtures, fixtures

AREAS: dict[str, Callable[[Fixtures], Iterator[Row]]] = {
    # Disk comes first, before anything is written.
    "disk": disk_and_wal.measure,
    "reads": reads.measure,
    "guard": guard.measure,
    "export": export.measure,
    "feed": feed.measure,
    "scale": scale.measure,
    "totals": totals.measure,
    "search": search.measure,
    "refresh": refresh.measure,
    "projectors": projectors.measure,
    "rebuild": rebuild.measure,
    "verify": verify.measure,
    "capture": capture.measure,
    "mixed": mixed.measure,
    "visible": visible.measure,
    "roads": roads.measure,
}
_OUTPUT = Path("build") / "benchmark"


@click.command()
@click.option(
    "--size", type=click.Choice(list(SIZES)), default="default", help="How much data. [default: default]"
)
@click.option("--only", default="", help=f"Only these, with commas between them: {', '.join(AREAS)}.")
@click.option("--output", type=click.Path(path_type=Path), default=_OUTPUT, help="Where the two files go.")
@click.option("--keep", is_flag=True, help="Keep the database server's data for the next run.")
def main(size: str, only: str, output: Path, *, keep: bool) -> None:
    """Measure everything against baselines that take turns with it."""
    names = [name.strip() for name in only.split(",") if name.strip()] or list(AREAS)
    unknown = [name for name in names if name not in AREAS]
    if unknown:
        raise click.UsageError(f"There is no {', '.join(unknown)}; there are {', '.join(AREAS)}.")
    text, failures = run(size, names, output, keep=keep, say=_say)
    click.echo(f"\n{text}\nWritten to {output}.")
    sys.exit(1 if failures else 0)


def run(
    size: str, names: Sequence[str], output: Path, *, keep: bool, say: Callable[[str], None]
) -> tuple[str, list[Failure]]:
    """Measure these areas; the answer is the table, and what could not be measured."""
    load_before = os.getloadavg()[0]
    rows: list[Row] = []
    failures: list[Failure] = []
    text = ""
    folder = (output / "server").absolute()
    try:
        with fixtures(SIZES[size], folder, say) as place:
            for name in names:
                began = monotonic()
                say(f"Measuring {name} ...")
                try:
                    for row in AREAS[name](place):
                        rows.append(row)
                        say(f"  {row.what}: {row.ours.median:.4g} {row.unit}, ratio {row.ratio.median:.3g}")
                # The other areas still say what they can.
                except Exception as error:  # noqa: BLE001
                    failures.append(Failure(name, f"{type(error).__name__}: {error}"))
                    say(traceback.format_exc())
                say(f"  {name} took {monotonic() - began:.0f} s.")
                # After each area: a run of hours that is stopped leaves what it has found.
                text = report.write(output, report.context(place, load_before), rows, failures)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return text, failures


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
