"""The command that shows the state of the read model."""

import sys

import click

from projector.cli.base import FAILED, Invocation


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def status(invocation: Invocation, *, as_json: bool) -> None:
    """Show the state of the read model in one screen.

    Lag, queue, last runs, running rebuild, leads set aside, state of capture, sizes.

    \b
    Examples:
      python -m projector status
      python -m projector status --json | jq .
    \b
    Exit codes:
      0  fine
      1  something needs a person (it says what), or failed
      2  wrong usage
    """
    import orjson

    from projector.status import as_dict, find_attention, read_status, render

    with invocation.connect("status") as conn:
        found = read_status(conn, api_role=invocation.config.api_role)
    if as_json:
        options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z
        click.echo(orjson.dumps(as_dict(found), default=str, option=options).decode())
    else:
        click.echo(render(found))
    if find_attention(found):
        sys.exit(FAILED)
