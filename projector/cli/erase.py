"""The command that erases a tenant or a lead."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from projector.cli.base import FAILED, Invocation, cli, place_of, telling_waits
from projector.report.counted import counted
from projector.report.progress import for_this_terminal

if TYPE_CHECKING:
    from projector.database.rows import Connection
    from projector.operate.erase.ledger import Target


@cli.add(
    "erase",
    "erased",
    "refused because of source rows, which it lists, not confirmed, or failed; run it again to go on",
)
@click.option("--user", "user_id", metavar="USER_ID", help="Erase this tenant, or with --phone a lead of it.")
@click.option("--phone", metavar="PHONE", help="Erase the lead with this phone, however it is written.")
@click.option(
    "--replay",
    is_flag=True,
    help="End what was interrupted, and erase again what the ledger names, after a backup was restored.",
)
@click.option(
    "--ledger",
    "ledger_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the ledger in this file too: lines that only one of both has are taken over by the other.",
)
@click.option(
    "--vacuum",
    is_flag=True,
    help="Then print the commands that rewrite the files of our tables, so that no byte of a deleted row is in them.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(  # noqa: PLR0913  # One argument for each option.
    invocation: Invocation,
    user_id: str | None,
    phone: str | None,
    ledger_file: Path | None,
    *,
    replay: bool,
    vacuum: bool,
    yes: bool,
) -> None:
    """Erase a tenant with its API keys, or one of its leads.

    It erases from the read model and the projector's tables. Refuses while the platform's tables still have rows that
    would bring it back, and lists them. A line in the ledger of erasures says with hashes who was erased. After an
    interruption, run the same command again, or --replay.

    \b
    Examples:
      python -m projector erase --user 789895c8-4bd6-43e9-bfea-a4171ec47197 --ledger erased.jsonl
      python -m projector erase --user u1 --phone "+49 151 000001" --vacuum --yes
      python -m projector erase --replay --ledger erased.jsonl
    """
    _require_target(user_id, phone, replay=replay, is_given=vacuum or ledger_file is not None)
    from projector.operate.erase import find_target, rewrite_commands
    from projector.operate.erase.ledger import synchronize
    from projector.operate.roles import require_access

    with invocation.connect("erase") as conn, telling_waits(conn):
        require_access(conn)
        if user_id is not None:
            target = find_target(conn, user_id, phone)
            if target is None:
                raise click.UsageError("--phone is blank: no lead has a blank phone.")
            _erase(conn, target, ledger_file, yes=yes)
        elif ledger_file is not None:
            taken, written = synchronize(conn, ledger_file)
            click.echo(
                f"The ledger took {counted(taken, 'new line')} from {ledger_file}, which took"
                f" {counted(written, 'new line')}."
            )
        is_done = not replay or _replay(conn, yes=yes)
        if vacuum:
            click.echo(
                "-- For the owner of the database or a superuser. Each command locks its table meanwhile:"
            )
            click.echo("\n".join(rewrite_commands(conn)))
    if not is_done:
        sys.exit(FAILED)


def _require_target(user_id: str | None, phone: str | None, *, replay: bool, is_given: bool) -> None:
    """Raise UsageError if the options do not say what to do. `is_given`: --ledger or --vacuum is given."""
    if replay and user_id is not None:
        raise click.UsageError("--user and --replay exclude each other.")
    if phone is not None and user_id is None:
        raise click.UsageError("--phone needs --user: a phone can belong to leads of several tenants.")
    if not (replay or user_id is not None or is_given):
        raise click.UsageError(
            "Say what to do: --user or --replay erases; --ledger and --vacuum work alone, too."
        )


def _erase(conn: "Connection", target: "Target", ledger_file: Path | None, *, yes: bool) -> None:
    from projector.operate import erase as erasing

    held = erasing.check_erase(conn, target)
    amount = f"{counted(held.leads, 'lead')} and {counted(held.messages, 'message')}"
    keys = f", with {counted(held.api_keys, 'API key')}" if held.api_keys else ""
    if not yes:
        click.confirm(f"Erase {target} ({amount}{keys}) from {place_of(conn)}?", abort=True)
    erasing.erase(conn, target, progress=for_this_terminal(), ledger_file=ledger_file)
    click.echo(f"Erased: {target}{keys}. The read model had {amount} of it.")


def _replay(conn: "Connection", *, yes: bool) -> bool:
    """Erase again what the ledger names and exists; return whether all of it was erased."""
    from projector.operate import erase as erasing

    targets = [target for _, target in erasing.find_matches(conn)]
    if not targets:
        click.echo("Nothing that the ledger names is there, and no erasure was interrupted.")
        return True
    click.echo("Of the ledger, these are there again, or their erasure was interrupted:")
    for target in targets:
        click.echo(f"  {target}")
    if not yes:
        click.confirm(f"Erase all of that from {place_of(conn)}?", abort=True)
    erased, refused = erasing.replay(conn, progress=for_this_terminal())
    for target in erased:
        click.echo(f"Erased: {target}.")
    for error in refused:
        click.echo(f"Not erased. {error}")
    return not refused
