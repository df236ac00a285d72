"""The commands that show the state of the read model, list its tenants, and explain the fields of a lead."""

import sys
from collections.abc import Sequence
from dataclasses import asdict

import click

from projector.cli.base import DRIFT, FAILED, Invocation, cli, echo, echo_json, json_option


@cli.add("status", "fine", "something needs attention (it says what), or failed")
@click.option(
    "--verbose", is_flag=True, help="Every fact: last runs, verify, drift, row security, sizes, locks."
)
@json_option
def status(invocation: Invocation, *, verbose: bool, as_json: bool) -> None:
    """Show how fresh the read model is, and what needs attention.

    \b
    Examples:
      python -m projector status
      python -m projector status --verbose
      python -m projector status --json | jq .
    """
    from projector.observe.status.attention import find_attention
    from projector.observe.status.read import read_status
    from projector.observe.status.render import as_dict, render, summarize

    with invocation.connect("status") as conn:
        state = read_status(conn, api_role=invocation.config.api_role)
    if as_json:
        echo_json(as_dict(state))
    else:
        click.echo(render(state) if verbose else summarize(state))
    if find_attention(state):
        sys.exit(FAILED)


@cli.add("assess", "it fits", "it does not fit (it says why), or failed")
@click.option(
    "--source-schema",
    "source_schemas",
    metavar="NAME",
    multiple=True,
    help="Where the platform's tables are, as for migrate; may be repeated.",
)
@click.option(
    "--mapping",
    "mapping",
    metavar="FOLDER",
    help="The mapping to look at, as for migrate; else the one that is stored.",
)
@json_option
@click.option("--sql", "as_sql", is_flag=True, help="Only the statements that would mend what is missing.")
def assess(
    invocation: Invocation, *, source_schemas: Sequence[str], mapping: str | None, as_json: bool, as_sql: bool
) -> None:
    """Say whether the projector fits a database.

    It installs nothing, and leaves nothing there: version and rights, the platform's tables, their types and indexes,
    what the first build would take, and figures of what the mapping reads, with one lead.

    \b
    Examples:
      python -m projector assess
      python -m projector assess --sql > for-the-dba.sql
    """
    from projector.capture.texts import read_mapping
    from projector.operate.assess import as_dict, render
    from projector.operate.assess import assess as find_facts

    if as_json and as_sql:
        raise click.UsageError("Give --json or --sql, not both.")
    with invocation.connect("assess") as conn:
        facts = find_facts(conn, source_schemas, read_mapping(mapping) if mapping is not None else None)
    report = as_dict(facts)
    if as_json:
        echo_json(report)
    elif as_sql:
        for statement in dict.fromkeys(statement for fact in facts for statement in fact.statements):
            echo(statement)
    else:
        echo(render(facts, mapping))
    if not report["fits"]:
        sys.exit(FAILED)


@cli.add(
    "tenants", "listed", "the read model is not installed or was never built (it says what to run), or failed"
)
@json_option
def tenants(invocation: Invocation, *, as_json: bool) -> None:
    """List the tenants with their leads, messages and dead letters.

    It says how fresh each is. A tenant is in the list from its first lead on, or once a key of it is set aside.

    \b
    Examples:
      python -m projector tenants
      python -m projector tenants --json | jq -r '.tenants[].user_id'
    """
    from projector.operate.tenants import read_tenants, render

    with invocation.connect("tenants") as conn:
        listed, without_tenant = read_tenants(conn)
    if as_json:
        echo_json(
            {"tenants": [asdict(tenant) for tenant in listed], "dead_letters_without_tenant": without_tenant}
        )
    else:
        click.echo(render(listed, without_tenant))


@cli.add("explain", "the lead is explained", "there is no such lead, or failed", "the read model has drifted")
@click.argument("user_id")
@click.argument("phone")
@click.option(
    "--candidates",
    type=click.IntRange(0, 1000),
    default=3,
    show_default=True,
    help="Of each source table so many rows are shown besides the first.",
)
@json_option
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
    from projector.operate.explain import explain_lead, render

    with invocation.connect("explain") as conn:
        explanation = explain_lead(conn, user_id, phone, candidates=candidates)
    if as_json:
        echo_json(explanation)
    else:
        click.echo(render(explanation))
    if explanation.has_drifted:
        sys.exit(DRIFT)
    if not explanation.is_there:
        sys.exit(FAILED)
