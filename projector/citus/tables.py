"""Places the tables of the read model on the servers of Citus."""

import re
from collections.abc import Iterator

from psycopg import sql as composing

from projector.citus.session import has_citus, is_on_citus
from projector.errors import ConfigurationError
from projector.pipeline import Connection
from projector.sides import is_apart, on_read_model
from projector.sql import query

_FIRST = "read_model.tenants"
_NOT_APART = (
    "Citus can hold the read model in a database of its own only: set LEADS_READ_MODEL_URL, or unset"
    " LEADS_READ_MODEL_ENGINE."
)
_NO_CITUS = (
    "The database of the read model has no Citus: connect to the coordinator, and have a superuser run CREATE EXTENSION"
    " citus there and citus_add_node() for each server, or unset LEADS_READ_MODEL_ENGINE."
)
# A function or a DO block is one piece, whatever it has between its quotes.
_STATEMENT = re.compile(r"(?:\$(\w*)\$.*?\$\1\$|'[^']*'|--[^\n]*|[^;])+;?", re.DOTALL)
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)


def require_citus(conn: Connection) -> None:
    """Raise ConfigurationError where Citus cannot hold the read model."""
    if not is_apart(conn):
        raise ConfigurationError(_NOT_APART)
    if not has_citus(on_read_model(conn)):
        raise ConfigurationError(_NO_CITUS)


def prepare_to_change(conn: Connection) -> None:
    """Let the caller's transaction change tables on the servers of Citus one by one, if there is Citus."""
    read_model = on_read_model(conn)
    if not has_citus(read_model):
        return
    read_model.execute("SELECT set_config('citus.multi_shard_modify_mode', 'sequential', true)")
    # With it, Citus would take the schema for that of a tenant.
    read_model.execute("SELECT set_config('citus.enable_schema_based_sharding', 'off', true)")


def one_by_one(text: str) -> Iterator[str]:
    """The statements of a text: Citus sends what it was sent to its servers, and these take one at a time."""
    for found in _STATEMENT.finditer(text):
        statement = _COMMENT.sub("", found[0]).strip()
        if statement:
            yield statement


def distribute(conn: Connection) -> None:
    """Place the rows of each table by their tenant, all tables alike, in the caller's transaction.

    The tables that have no tenant are copied to each server: a request reads them in the statement that reads its
    tenant. A table that is distributed already stays as it is.
    """
    read_model = on_read_model(conn)
    for name, is_by_tenant in read_model.execute(query("citus", "find_undistributed")).fetchall():
        if is_by_tenant:
            beside = "none" if name == _FIRST else _FIRST
            read_model.execute(query("citus", "distribute"), {"name": name, "beside": beside})
        else:
            read_model.execute(query("citus", "copy_everywhere"), {"name": name})
        read_model.execute(query("citus", "drop_local_rows"), {"name": name})
        # The servers have this of the table, and not of the one beside it that has its long values.
        keep_pages = composing.SQL("ALTER TABLE {} SET (toast.vacuum_truncate = off)")
        read_model.execute(keep_pages.format(composing.Identifier(*name.split("."))), prepare=False)


def complete(conn: Connection) -> None:
    """Change what a read model on Citus has otherwise, in the caller's transaction; does nothing for another one."""
    read_model = on_read_model(conn)
    if is_on_citus(read_model):
        read_model.execute(query("citus", "place_versions"), prepare=False)
        read_model.execute(query("citus", "grant_tables"), prepare=False)
