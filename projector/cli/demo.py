"""The command that loads demo data."""

from datetime import UTC, datetime
from math import isnan
from typing import Any

import click

from projector.cli.base import Invocation, cli, place_of
from projector.report.counted import counted
from projector.report.progress import for_this_terminal


def _refuse_nan(_context: click.Context, _option: click.Parameter, number: float) -> float:
    """Refuse NaN, which FloatRange accepts."""
    if isnan(number):
        raise click.BadParameter("nan is no number.")
    return number


@cli.add("demo", "loaded", "failed, or not confirmed")
@click.option(
    "--tenants",
    type=click.IntRange(min=0),
    default=0,
    help="Number of tenants for a benchmark; 0 loads the demo.",
)
@click.option(
    "--leads", type=click.IntRange(min=1), default=2_000, show_default=True, help="Leads of each tenant."
)
@click.option(
    "--messages-per-lead",
    type=click.FloatRange(0, 1e6),
    callback=_refuse_nan,
    default=12,
    show_default=True,
    help="On average.",
)
@click.option("--seed", default=1, show_default=True, help="Another seed gives other rows.")
@click.option(
    "--yes", is_flag=True, help="Do not ask before writing into a database that is not the embedded one."
)
def demo(invocation: Invocation, /, *, yes: bool, **options: Any) -> None:  # noqa: ANN401  # As `load` declares them.
    """Load made-up source rows, for a trial or a benchmark.

    The tenant of the API reference and a larger one, or with --tenants many of any size. Only source tables
    are written; `refresh`, `rebuild` or a running scheduler make leads of their rows.

    \b
    Examples:
      python -m projector demo
      python -m projector demo --tenants 10 --leads 100000 --messages-per-lead 20
    """
    from projector.trial import demo as demo_data

    with invocation.connect("demo") as conn:
        if invocation.config.database_url and not yes:
            click.confirm(f"Write made-up rows into the platform's tables in {place_of(conn)}?", abort=True)
        report = demo_data.load(conn, now=datetime.now(UTC), progress=for_this_terminal(), **options)
    click.echo(
        f"{counted(len(report.user_ids), 'tenant')}, {counted(report.leads, 'lead')}, "
        f"{counted(report.messages, 'message')} "
        f"in {report.seconds:.1f} s."
    )
    for user_id in report.user_ids[:5]:
        click.echo(f"  {user_id}")
    if len(report.user_ids) > 5:  # noqa: PLR2004  # As many as are shown.
        click.echo(f"  and {len(report.user_ids) - 5:,} more")
