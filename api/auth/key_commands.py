"""`python -m api keys`: create, list and revoke API keys."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import click
from click.exceptions import Exit

from api import config
from api.auth.access import digest_of
from api.auth.key_format import KEPT_SECONDS, new_key, prefix_of
from api.database.key_table import KeyEntry, KeyTable, KeyTableError, key_table
from api.observe.log import escaped

_MAX_TENANT = 255
_MAX_LABEL = 100
_MAX_DAYS = 36500

_HELP = f"""\
Create, list and revoke the API keys that callers show where LEADS_AUTH has key.

It connects to DATABASE_URL, and never to LEADS_API_DATABASE_URL: with a login of its own, which
has the role leads_keys. The logins of the projector and of the API may not write keys.

\b
Examples:
  python -m api keys create --tenant 789895c8-4bd6-43e9-bfea-a4171ec47197 --label CRM --expires 90d
  python -m api keys list
  python -m api keys revoke leads_0f3a91bc04de

A key that is revoked is refused after {KEPT_SECONDS} seconds at the latest.

\b
Exit codes:
  0  It is done.
  1  There is no such key, or the database cannot be used; the message says why.
  2  A setting or an option is not valid.
"""


@click.group(help=_HELP, short_help="Create, list and revoke API keys.")
def keys() -> None:
    """Create, list and revoke API keys."""


@contextmanager
def _table() -> Iterator[KeyTable]:
    """Open the table of keys. Exits with 2 for a setting that is not valid, and with 1 where it cannot be used."""
    try:
        with key_table(config.owner_database_url()) as table:
            yield table
    except (config.ConfigurationError, KeyTableError) as error:
        click.echo(error, err=True)
        raise Exit(2 if isinstance(error, config.ConfigurationError) else 1) from error


# Each of the following returns the value of an option, and raises BadParameter with what is allowed.


def _tenant(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text is not None and (not 1 <= len(text) <= _MAX_TENANT or not text.isprintable()):
        raise click.BadParameter(f"it has to be a user_id of 1 to {_MAX_TENANT} printable characters")
    return text


def _label(_context: click.Context, _option: click.Parameter, text: str) -> str:
    if len(text) > _MAX_LABEL or not text.isprintable():
        raise click.BadParameter(f"it may have at most {_MAX_LABEL} printable characters")
    return text


def _prefix(_context: click.Context, _option: click.Parameter, text: str) -> str:
    prefix = prefix_of(text)
    if prefix is None:
        raise click.BadParameter(
            "the beginning of a key as `python -m api keys list` shows it: leads_0f3a91bc04de"
        )
    return prefix


def _expiry(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    now = datetime.now(UTC)
    days = re.fullmatch(r"([0-9]{1,5})d", text)
    try:
        moment = now + timedelta(days=int(days[1])) if days else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        moment = now
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not now < moment <= now + timedelta(days=_MAX_DAYS):
        raise click.BadParameter("it has to be a moment to come: 90d, 2027-01-31 or 2027-01-31T09:30:00Z")
    return moment


@keys.command("create", short_help="Create a key, and print it once.")
@click.option("--tenant", callback=_tenant, metavar="USER_ID", help="The only tenant that the key reads.")
@click.option("--all", "is_for_all", is_flag=True, help="The key reads all tenants.")
@click.option("--label", callback=_label, default="", help="What you call the key; no secret.")
@click.option(
    "--expires",
    callback=_expiry,
    metavar="WHEN",
    help="Days such as 90d, a date such as 2027-01-31 (its beginning in UTC), or a time with its offset; never without"
    " it.",
)
def _create(tenant: str | None, label: str, expires: datetime | None, *, is_for_all: bool) -> None:
    """Create a key, and print it once."""
    if is_for_all == (tenant is not None):
        raise click.UsageError("Say whose leads the key reads: either --tenant USER_ID, or --all.")
    with _table() as table:
        key = new_key()
        prefix = prefix_of(key) or ""
        table.add(prefix, digest_of(key), user_id=tenant, label=label, expires_at=expires)
    whose = "all tenants" if tenant is None else f"the tenant {escaped(tenant)}"
    until = "until it is revoked" if expires is None else f"until {_printed(expires)}"
    # The key alone goes to standard output, so that a script can take it from there.
    click.echo(
        f"Created {prefix}, which reads {whose} {until}. This is the only time that the key is shown:",
        err=True,
    )
    click.echo(key)


@keys.command("list", short_help="List the keys, without their secrets.")
@click.option("--tenant", callback=_tenant, metavar="USER_ID", help="Only the keys of this tenant.")
def _list(tenant: str | None) -> None:
    """List the keys, without their secrets."""
    now = datetime.now(UTC)
    with _table() as table:
        entries = table.entries(tenant)
    rows = [("key", "tenant", "label", "created", "expires", "state")]
    # Whoever may write the table could otherwise rule the terminal: so its texts are escaped.
    rows += [
        (
            entry.prefix,
            "(all)" if entry.user_id is None else escaped(entry.user_id),
            escaped(entry.label),
            _printed(entry.created_at),
            "never" if entry.expires_at is None else _printed(entry.expires_at),
            _state(entry, now),
        )
        for entry in entries
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


@keys.command("revoke", short_help="Have the API refuse a key from now on.")
@click.argument("key", callback=_prefix)
def _revoke(key: str) -> None:
    """Have the API refuse a key from now on. KEY is the beginning that `list` shows."""
    with _table() as table:
        is_known = table.revoke(key)
    if not is_known:
        click.echo(f"There is no key {key}: `python -m api keys list` lists all.", err=True)
        raise Exit(1)
    click.echo(f"Revoked {key}. A running API refuses it within {KEPT_SECONDS} seconds.", err=True)


def _state(entry: KeyEntry, now: datetime) -> str:
    if entry.revoked_at is not None:
        return f"revoked {_printed(entry.revoked_at)}"
    return "expired" if entry.expires_at is not None and entry.expires_at <= now else "valid"


def _printed(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
