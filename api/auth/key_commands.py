"""`python -m api keys`: create, list and revoke API keys."""

import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from api import config
from api.auth.access import digest_of
from api.auth.key_format import KEPT_SECONDS, new_key, prefix_of
from api.database.key_table import KeyEntry, KeyTable, KeyTableError, key_table

COMMAND = "keys"
_MAX_TENANT = 255
_MAX_LABEL = 100
_MAX_DAYS = 36500

_DESCRIPTION = f"""\
Creates, lists and revokes the API keys that callers show where LEADS_AUTH has key.

It connects to LEADS_READ_MODEL_URL, or else to DATABASE_URL, and never to LEADS_API_DATABASE_URL:
with the login that ran `python -m projector migrate`, which owns the table of keys. The login of
the API may only read it.

Examples:
  python -m api keys create --tenant 789895c8-4bd6-43e9-bfea-a4171ec47197 --label CRM --expires 90d
  python -m api keys list
  python -m api keys revoke leads_0f3a91bc04de

A key that is revoked is refused after {KEPT_SECONDS} seconds at the latest.

Exit codes:
  0  It is done.
  1  There is no such key, or the database cannot be used; the message says why.
  2  A setting or an option is not valid.
"""


def add_commands(parser: ArgumentParser) -> None:
    """Add the commands about keys to the program's options; without a command, it serves."""
    commands = parser.add_subparsers(dest="command", metavar="[keys]", title="commands")
    keys = commands.add_parser(
        COMMAND,
        help="create, list and revoke API keys",
        description=_DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    actions = keys.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="create a key, and print it once", allow_abbrev=False)
    whose = create.add_mutually_exclusive_group(required=True)
    whose.add_argument("--tenant", type=_tenant, metavar="USER_ID", help="the only tenant that the key reads")
    whose.add_argument("--all", action="store_true", help="the key reads all tenants")
    create.add_argument("--label", type=_label, default="", help="what you call the key; no secret")
    create.add_argument(
        "--expires",
        type=_expiry,
        metavar="WHEN",
        help="days such as 90d, a date such as 2027-01-31 (its beginning in UTC), or a time with its offset; never"
        " without it",
    )
    create.set_defaults(run=_create)
    listed = actions.add_parser("list", help="list the keys, without their secrets", allow_abbrev=False)
    listed.add_argument("--tenant", type=_tenant, metavar="USER_ID", help="only the keys of this tenant")
    listed.set_defaults(run=_list)
    revoke = actions.add_parser("revoke", help="have the API refuse a key from now on", allow_abbrev=False)
    revoke.add_argument("key", type=_prefix, metavar="KEY", help="the beginning of the key that list shows")
    revoke.set_defaults(run=_revoke)


def run(asked: Namespace) -> int:
    """Run the command that the options name. Returns its exit code."""
    command: Callable[[KeyTable, Namespace], int] = asked.run
    try:
        with key_table(config.owner_database_url()) as table:
            return command(table, asked)
    except config.ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyTableError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _create(table: KeyTable, asked: Namespace) -> int:
    is_unknown = asked.tenant is not None and not table.has_tenant(asked.tenant)
    key = new_key()
    table.add(
        key.prefix, digest_of(key.text), user_id=asked.tenant, label=asked.label, expires_at=asked.expires
    )
    whose = "all tenants" if asked.tenant is None else f"the tenant {_shown(asked.tenant)}"
    until = "until it is revoked" if asked.expires is None else f"until {_printed(asked.expires)}"
    # The key alone goes to standard output, so that a script can take it from there.
    sys.stderr.write(
        f"Created {key.prefix}, which reads {whose} {until}. This is the only time that the key is shown:\n"
    )
    if is_unknown:
        sys.stderr.write(f"Note that the read model has no tenant {_shown(asked.tenant)} now.\n")
    sys.stdout.write(f"{key.text}\n")
    return 0


def _list(table: KeyTable, asked: Namespace) -> int:
    now = datetime.now(UTC)
    rows = [("key", "tenant", "label", "created", "expires", "state")]
    rows += [
        (
            one.prefix,
            "(all)" if one.user_id is None else _shown(one.user_id),
            _shown(one.label),
            _printed(one.created_at),
            "never" if one.expires_at is None else _printed(one.expires_at),
            _state(one, now),
        )
        for one in table.entries(asked.tenant)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(f"{line.rstrip()}\n")
    return 0


def _revoke(table: KeyTable, asked: Namespace) -> int:
    if not table.revoke(asked.key):
        sys.stderr.write(f"There is no key {asked.key}: `python -m api keys list` lists all.\n")
        return 1
    sys.stderr.write(f"Revoked {asked.key}. A running API refuses it within {KEPT_SECONDS} seconds.\n")
    return 0


def _state(one: KeyEntry, now: datetime) -> str:
    if one.revoked_at is not None:
        return f"revoked {_printed(one.revoked_at)}"
    return "expired" if one.expires_at is not None and one.expires_at <= now else "valid"


def _printed(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _shown(text: str) -> str:
    """Returns a text with control characters escaped: whoever may write the table could otherwise rule the terminal."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


# Each of the following returns the value of an option, and raises ArgumentTypeError with what is allowed.


def _tenant(text: str) -> str:
    if not 1 <= len(text) <= _MAX_TENANT or not text.isprintable():
        raise ArgumentTypeError(f"it has to be a user_id of 1 to {_MAX_TENANT} printable characters")
    return text


def _label(text: str) -> str:
    if len(text) > _MAX_LABEL or not text.isprintable():
        raise ArgumentTypeError(f"it may have at most {_MAX_LABEL} printable characters")
    return text


def _prefix(text: str) -> str:
    prefix = prefix_of(text)
    if prefix is None:
        raise ArgumentTypeError(
            "the beginning of a key as `python -m api keys list` shows it: leads_0f3a91bc04de"
        )
    return prefix


def _expiry(text: str) -> datetime:
    now = datetime.now(UTC)
    days = re.fullmatch(r"([0-9]{1,5})d", text)
    try:
        moment = now + timedelta(days=int(days[1])) if days else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        moment = now
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not now < moment <= now + timedelta(days=_MAX_DAYS):
        raise ArgumentTypeError("it has to be a moment to come: 90d, 2027-01-31 or 2027-01-31T09:30:00Z")
    return moment
