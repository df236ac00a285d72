"""Deleted leads, which the change feed tells of for some days."""

from projector.core import pipeline
from projector.core.collisions import retry_on_collision
from projector.core.pipeline import Connection
from projector.database.sql import query


def prune(conn: Connection, days: int) -> None:
    """Delete the tombstones of more than so many days, tenant by tenant, under the lock of each."""
    pipeline.prepare_session(conn)
    read_model = conn
    for (user_id,) in read_model.execute(query("tenants", "find_old_tombstones"), {"days": days}).fetchall():
        given = {"user_id": user_id, "days": days}

        def prune_tenant(given: dict[str, object] = given) -> None:
            with conn.transaction():
                pipeline.lock_tenants(conn, [str(given["user_id"])])
                read_model.execute(query("tenants", "prune_tombstones"), given)

        retry_on_collision(prune_tenant)
