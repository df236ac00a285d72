"""The command that shows which source rows decide what a lead shows."""

import sys

import click

from projector.cli.base import DRIFT, FAILED, Invocation, echo_json, exit_codes


@click.command()
@click.argument("user_id")
@click.argument("phone")
@click.option(
    "--candidates",
    type=click.IntRange(0, 1000),
    default=3,
    show_default=True,
    help="Of each source table so many rows are shown besides the first.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
@exit_codes("the lead is explained", "there is no such lead, or failed", "the read model has drifted")
def explain(invocation: Invocation, user_id: str, phone: str, *, candidates: int, as_json: bool) -> None:
    """Say why a lead shows what it shows.

    Prints each field, then the source rows that compete for them in the order of the rule, the winner first. It says
    as well whether a change of the lead waits, is set aside with an error, or the read model has drifted. It only
    reads. PHONE may be written in any way.

    \b
    Examples:
      python -m projector explain 789895c8-4bd6-43e9-bfea-a4171ec47197 918979556941
      python -m projector explain 789895c8-4bd6-43e9-bfea-a4171ec47197 "+91 89795 56941" --json | jq .
    """
    from projector.operate.explain import as_dict, explain_lead, render

    with invocation.connect("explain") as conn:
        found = explain_lead(conn, user_id, phone, candidates=candidates)
    if as_json:
        echo_json(as_dict(found))
    else:
        click.echo(render(found))
    if found.has_drifted:
        sys.exit(DRIFT)
    if not found.is_there:
        sys.exit(FAILED)
