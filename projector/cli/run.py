"""The commands that bring the read model up to date, and keep it there."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from projector.cli.base import DRIFT, Invocation, cli, echo, echo_report
from projector.report.counted import RunReport, counted, escape_hidden
from projector.report.progress import for_this_terminal

if TYPE_CHECKING:
    from projector.database.rows import Connection


@cli.add(
    "rebuild",
    "rebuilt: everything committed before the start is in the read model",
    "failed: leads that it had reached are corrected, the others are served as they were; or rows are set aside",
)
@click.option(
    "--user", "users", multiple=True, metavar="USER_ID", help="Only this tenant; may be given several times."
)
def rebuild(invocation: Invocation, users: Sequence[str]) -> None:
    """Build the read model again from all source rows.

    It covers all tenants, or those that --user names. Each lead changes when the rebuild reaches it; a first
    build shows all leads at its end. A rebuild may be interrupted at any time: `run` continues one of all
    tenants, and another `rebuild` begins again from the start, and says so.

    \b
    Examples:
      python -m projector rebuild
      python -m projector rebuild --user 789895c8-4bd6-43e9-bfea-a4171ec47197
    """
    from projector.sweep.rebuild import rebuild as run_rebuild
    from projector.sweep.recovery import rebuild_everything

    with invocation.connect("rebuild") as conn:
        if users:
            report = run_rebuild(conn, tenants=list(users), progress=for_this_terminal())
        else:
            report = rebuild_everything(conn, progress=for_this_terminal())
        _conclude(conn, report, users or None)


@cli.add(
    "refresh",
    "everything committed before the start is in the read model",
    "failed, something blocks it, or changes are set aside with an error; the message says what",
)
@click.option("--retry-failed", is_flag=True, help="Try the leads that were set aside with an error, too.")
@click.option("--verbose", is_flag=True, help="Say so, too, when there was nothing to do.")
def refresh(invocation: Invocation, *, retry_failed: bool, verbose: bool) -> None:
    """Bring in every change that was committed before the start.

    Waits for refreshes that are under way, and heals a capture gap, before it returns.
    `run` does the same all the time. Prints nothing where nothing was to do and nothing is set aside.

    \b
    Example, from cron every minute:
      * * * * *  python -m projector refresh
    """
    from projector.operate.origin.proof import note_once
    from projector.sweep.recovery import note_command, refresh_and_heal

    with invocation.connect("refresh") as conn:
        note_once(conn, invocation.config.origin_url)
        report = refresh_and_heal(
            conn,
            retry_failed=retry_failed,
            progress=for_this_terminal(),
            size=invocation.config.refresh_batch,
            queue_limit=invocation.config.queue_limit,
        )
        note_command(conn)
        _conclude(conn, report, prints=verbose or report.did_something)


def _conclude(
    conn: "Connection", report: RunReport, tenants: Sequence[str] | None = None, *, prints: bool = True
) -> None:
    """Print the report and what is left for a superuser; raise ProjectorError if changes are left out."""
    from projector.core.dead_letters import require_nothing_left_out
    from projector.operate.roles import read_access

    if prints:
        echo_report(report)
        if (left := read_access(conn).left) is not None:
            echo(left)
    require_nothing_left_out(conn, tenants)


@cli.add("run", "ended by SIGTERM or Ctrl-C", "could not start")
def run(invocation: Invocation) -> None:
    """Run the scheduler until SIGTERM or Ctrl-C.

    It refreshes within a second, compares everything with the source rows once in LEADS_VERIFY_DAYS, and
    rebuilds when LEADS_REBUILD_CRON says so. Any number of schedulers may run against one database: they share
    the work, and the others take over from one that is killed.

    \b
    Example:
      LEADS_REFRESH_SECONDS=1 python -m projector run
    """
    from projector.scheduler.main import run as run_scheduler

    run_scheduler(invocation.with_database())


@cli.add("verify", "no difference", "failed", "drift found, healed or not")
@click.option(
    "--user",
    "users",
    multiple=True,
    metavar="USER_ID",
    help="All leads of this tenant; may be given several times.",
)
@click.option("--all", "everything", is_flag=True, help="All leads of all tenants.")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most this many leads, at random, and the statistics of their tenants. [default: LEADS_VERIFY_SAMPLE]",
)
@click.option("--heal", is_flag=True, help="Correct the leads that differ.")
def verify(
    invocation: Invocation, users: Sequence[str], *, everything: bool, sample: int | None, heal: bool
) -> None:
    """Compare leads with what their source rows say now.

    Leads with a waiting change or a dead letter are left out. A difference is called drift: a bug of this program, or
    somebody wrote into the read model, unless there is a capture gap. `status` asks for --heal until the drift is
    healed, rebuilt, or found gone.

    \b
    Examples:
      python -m projector verify --sample 2000
      python -m projector verify --user 789895c8-4bd6-43e9-bfea-a4171ec47197 --heal
    """
    if (len(users) > 0) + everything + (sample is not None) > 1:
        raise click.UsageError("--user, --all and --sample say each what to verify: give one of them.")
    from projector.sweep.recovery import find_rebuild_reasons
    from projector.sweep.verify import verify as run_verify

    size = None if users or everything else sample or invocation.config.verify_sample
    with invocation.connect("verify") as conn:
        report = run_verify(
            conn, tenants=list(users) or None, sample=size, heal=heal, progress=for_this_terminal()
        )
        reason = find_rebuild_reasons(conn).reason
    for drift in report.drifts:
        click.echo(
            escape_hidden(
                f"{drift.user_id} {drift.customer_phone} {drift.field}: "
                f"expected {drift.expected}, found {drift.found}"
            )
        )
    click.echo(
        f"{counted(report.checked, 'lead')} verified, "
        f"{report.left_out:,} left out because a change waits or is a dead letter: "
        f"{counted(len(report.drifts), 'difference')}, {counted(report.healed, 'lead')} healed."
    )
    if report.left_out:
        click.echo("`status` shows whether changes wait, and lists the dead letters.")
    if report.drifts:
        if reason is not None:
            click.echo(f"This may be no drift: {reason}. Run `python -m projector refresh`.")
        elif not heal:
            click.echo("Run the same again with --heal to correct them.")
        sys.exit(DRIFT)


@cli.add(
    "local", "ended by SIGTERM or Ctrl-C", "could not start, or a part of it ended by itself", hidden=True
)
def local(invocation: Invocation) -> None:
    """Run everything on this machine in the foreground, as `make run` does."""
    from projector.trial.postgres.local import run as run_here

    run_here(invocation.config)
