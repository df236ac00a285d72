"""The table of API keys, which `python -m api keys` writes and the API itself may only read.

The login that writes it reads nothing else: reading the platform's tables or the read model runs code of their owner,
who could otherwise write a key.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import class_row

from api.database.errors import SUPERUSER_PART

CONNECT_TIMEOUT_SECONDS = 5

# If the address lists several hosts, keys are written on the primary, unless it says otherwise.
_PRIMARY = {"target_session_attrs": "primary"}
_READ_ONLY = (
    "DATABASE_URL leads to a read-only server, such as a standby: set it to the primary, or list all hosts."
)

_INSERT = """
INSERT INTO leads_access.api_keys (prefix, key_hash, user_id, all_tenants, label, expires_at)
VALUES (%s, %s, %s, %s::text IS NULL, %s, %s)
"""
_LIST = """
SELECT k.prefix, k.user_id, k.label, k.created_at, k.expires_at, k.revoked_at
FROM leads_access.api_keys AS k
WHERE %(user_id)s::text IS NULL OR k.user_id = %(user_id)s
ORDER BY k.created_at, k.prefix
"""
# A key that is already revoked keeps its time.
_REVOKE = """
UPDATE leads_access.api_keys AS k SET revoked_at = coalesce(k.revoked_at, now()) WHERE k.prefix = %(prefix)s
RETURNING k.prefix
"""
# Another owner of the table could run code in this session.
_IS_APART = """
SELECT pg_catalog.bool_and(r.rolname IN ('leads_access', session_user))
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'leads_access'
INNER JOIN pg_catalog.pg_roles AS r ON r.oid = c.relowner
"""


class KeyTableError(Exception):
    """The table cannot be read or written; the message says why and what to do."""


class KeyEntry(NamedTuple):
    """A key in the list for operators; `user_id` is None for a key that reads all tenants."""

    prefix: str
    user_id: str | None
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyTable(psycopg.Connection[Any]):
    """A connection whose login may write the table."""

    def add(
        self, prefix: str, key_hash: bytes, *, user_id: str | None, label: str, expires_at: datetime | None
    ) -> None:
        """Store a key. Without a `user_id` it reads all tenants."""
        self.execute(_INSERT, (prefix, key_hash, user_id, user_id, label, expires_at))

    def entries(self, user_id: str | None = None) -> list[KeyEntry]:
        """Return the keys of a tenant, or all keys, the oldest first."""
        with self.cursor(row_factory=class_row(KeyEntry)) as cursor:
            return cursor.execute(_LIST, {"user_id": user_id}).fetchall()

    def revoke(self, prefix: str) -> bool:
        """Mark a key as revoked. Returns whether there is one with this prefix."""
        return self.execute(_REVOKE, {"prefix": prefix}).fetchone() is not None


@contextmanager
def key_table(database_url: str) -> Iterator[KeyTable]:
    """Open the table for one command. Each call commits before it returns, so that no unstored key is shown.

    Raises KeyTableError if the database or the table is missing, or if the login may not write it.
    """
    try:
        with KeyTable.connect(
            make_conninfo("", **{**_PRIMARY, **conninfo_to_dict(database_url)}),
            autocommit=True,
            application_name="leads-api-keys",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
        ) as table:
            # The statements below name their schemas, and psycopg reads dates in ISO only.
            table.execute("SET search_path = pg_catalog, pg_temp; SET DateStyle = 'ISO'")
            if table.execute(_IS_APART).fetchone() == (False,):
                raise KeyTableError(
                    "The table of API keys belongs to a role in whose sessions code of the platform runs:"
                    f" {SUPERUSER_PART}, or use the login of that role."
                )
            yield table
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise KeyTableError(f"There is no table of API keys: {SUPERUSER_PART}") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise KeyTableError(
            f"{error.diag.message_primary}: set DATABASE_URL to a login with the role leads_keys, as"
            " docs/authentication.md says. The projector and the API may not write keys."
        ) from error
    except psycopg.Error as error:
        # libpq says "hot standby mode" if it was told to find a primary.
        if isinstance(error, psycopg.errors.ReadOnlySqlTransaction) or "hot standby mode" in str(error):
            raise KeyTableError(_READ_ONLY) from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise KeyTableError(f"The database of DATABASE_URL cannot be used: {reason}") from error
