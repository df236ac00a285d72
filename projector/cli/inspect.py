"""The commands that show the state of the read model, and whose leads it has."""

import sys

import click

from projector.cli.base import FAILED, Invocation, echo_json, exit_codes


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
@exit_codes("fine", "something needs a person (it says what), or failed")
def status(invocation: Invocation, *, as_json: bool) -> None:
    """Show the state of the read model in one screen.

    Lag, queue, last runs, running rebuild, leads set aside, state of capture, sizes.

    \b
    Examples:
      python -m projector status
      python -m projector status --json | jq .
    """
    from projector.observe.status import as_dict, find_attention, read_status, render

    with invocation.connect("status") as conn:
        found = read_status(conn, api_role=invocation.config.api_role)
    if as_json:
        echo_json(as_dict(found))
    else:
        click.echo(render(found))
    if find_attention(found):
        sys.exit(FAILED)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
@exit_codes("listed", "the read model is not installed or was never built (it says what to run), or failed")
def tenants(invocation: Invocation, *, as_json: bool) -> None:
    """List the tenants with their leads, messages and dead letters, and how fresh they are.

    A tenant is in the list from its first lead on, or once a key of it is set aside.

    \b
    Examples:
      python -m projector tenants
      python -m projector tenants --json | jq -r '.tenants[].user_id'
    """
    from projector.operate.tenants import as_dict, read_tenants, render

    with invocation.connect("tenants") as conn:
        found = read_tenants(conn)
    if as_json:
        echo_json(as_dict(found))
    else:
        click.echo(render(found))
