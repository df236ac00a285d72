"""`python -m tests.benchmarks`: make data, measure, and write a table and a JSON file."""

import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

import click

from tests.benchmarks import (
    attributes,
    capture,
    citus,
    export,
    history,
    live,
    mass,
    projectors,
    reads,
    rebuild,
    refresh,
    replication,
    report,
    sizes,
    totals,
    visible,
)
from tests.benchmarks.core import Row
from tests.benchmarks.fixtures import SIZES, Bench, bench

# A case is a function that returns rows. To add one, write the function, and give it a line here, its goals a line in
# goals.py.
CASES: dict[str, tuple[str, Callable[[Bench], Iterator[Row]]]] = {
    # Disk comes first, before anything is written.
    "disk": ("Disk and memory", sizes.measure),
    "reads": ("Reads", reads.measure),
    "guard": ("What protection costs", reads.measure_guard),
    "scale": ("The largest tenant against a small one", reads.measure_scale),
    "totals": ("Totals and far pages", totals.measure),
    "facets": ("Facets and lookup", totals.measure_facets),
    "attributes": ("Attributes", attributes.measure),
    "history": ("History of statuses", history.measure),
    "export": ("Exports", export.measure),
    "refresh": ("Refresh", refresh.measure),
    "feed": ("Change feed", refresh.measure_feed),
    "projectors": ("Several projectors", projectors.measure),
    "rebuild": ("Rebuild", rebuild.measure),
    "mass": ("Mass changes", mass.measure),
    "verify": ("Verify", sizes.measure_verify),
    "capture": ("Writers", capture.measure),
    "visible": ("Commit to answer", visible.measure),
    "live": ("Event streams", live.measure),
    "citus": ("Citus", citus.measure),
    "replication": ("Standby and logical replication", replication.measure),
}


@click.command()
@click.option(
    "--size", type=click.Choice(list(SIZES)), default="default", help="How much data. [default: default]"
)
@click.option("--only", default="", help=f"Only these, with commas between them: {', '.join(CASES)}.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/benchmark"),
    help="Where the two files go.",
)
def main(size: str, only: str, output: Path) -> None:
    """Measure everything against baselines that take turns with it."""
    names = [name.strip() for name in only.split(",") if name.strip()] or list(CASES)
    unknown = [name for name in names if name not in CASES]
    if unknown:
        raise click.UsageError(f"There is no {', '.join(unknown)}; there are {', '.join(CASES)}.")
    text, failures = run(size, names, output, lambda text: click.echo(text, err=True))
    click.echo(f"\n{text}\nWritten to {output}.")
    sys.exit(1 if failures else 0)


def run(
    size: str, names: Sequence[str], output: Path, say: Callable[[str], None]
) -> tuple[str, dict[str, str]]:
    """Measure these cases; return the table, and why a case could not be measured."""
    load_before = os.getloadavg()[0]
    rows: list[Row] = []
    failures: dict[str, str] = {}
    text = ""
    folder = (output / "server").absolute()
    # A run that was killed leaves its own.
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with bench(SIZES[size], folder, say) as made:
            for name in names:
                title, measure = CASES[name]
                began = monotonic()
                say(f"Measuring {name} ...")
                try:
                    for row in measure(made):
                        rows.append(replace(row, case=title))
                        say(f"  {row.what}: {row.ours.median:.4g} {row.unit}, ratio {row.ratio.median:.3g}")
                # The other cases still say what they can.
                except Exception as error:  # noqa: BLE001
                    failures[name] = f"{type(error).__name__}: {error}"
                    say(traceback.format_exc())
                say(f"  {name} took {monotonic() - began:.0f} s.")
                # After each case: a run of hours that is stopped leaves what it has found.
                text = report.write(output, report.context(made, load_before), rows, failures)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return text, failures


if __name__ == "__main__":
    main()
