"""Places the tables of the read model on the servers of Citus."""

from projector.citus.session import has_citus
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


def require_citus(conn: Connection) -> None:
    """Raise ConfigurationError where Citus cannot hold the read model."""
    if not is_apart(conn):
        raise ConfigurationError(_NOT_APART)
    if not has_citus(on_read_model(conn)):
        raise ConfigurationError(_NO_CITUS)


def let_api_read_profiles(conn: Connection) -> None:
    """Grant the API's role the table under its view, as whose reader each server of Citus reads the rows."""
    on_read_model(conn).execute(query("citus", "grant_profiles"), prepare=False)


def distribute(conn: Connection) -> None:
    """Place the rows of each table by their tenant, all tables alike, in the caller's transaction.

    The tables that have no tenant are copied to each server: a request reads them in the statement that reads its
    tenant. A table that is distributed already stays as it is.
    """
    read_model = on_read_model(conn)
    # The transaction has created these tables on the servers one by one, which it cannot go on to do in parallel.
    read_model.execute("SELECT set_config('citus.multi_shard_modify_mode', 'sequential', true)")
    for name, is_by_tenant in read_model.execute(query("citus", "find_undistributed")).fetchall():
        if is_by_tenant:
            beside = "none" if name == _FIRST else _FIRST
            read_model.execute(query("citus", "distribute"), {"name": name, "beside": beside})
        else:
            read_model.execute(query("citus", "copy_everywhere"), {"name": name})
