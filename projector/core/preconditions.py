"""Checks before a run: the read model is installed, has this version, and the tenants exist."""

from collections.abc import Sequence

from projector.database import rows
from projector.database.rows import Connection
from projector.database.sql import OBJECTS_VERSION, PROJECTION_VERSION, query
from projector.report.errors import NotInstalledError, ProjectorError, TenantNotFoundError

INSTALLED_VERSION = f"{PROJECTION_VERSION}-{OBJECTS_VERSION}"
"""Identifies everything that `migrate` installs: a program works only with a database that has this version."""


def require_installed(conn: Connection) -> None:
    """Raise NotInstalledError unless a program of this version was the last to migrate the database.

    Two versions at one database would rebuild against each other for ever: a digest has no order, so neither can tell
    that it is the older one.
    """
    if not rows.value(conn, query("core", "is_installed")):
        raise NotInstalledError(
            "The read model is not installed in this database: run migrate, then rebuild."
        )
    require_migrated_version(conn)


def require_migrated_version(conn: Connection) -> None:
    """Raise NotInstalledError if a program that installs another version was the last to migrate."""
    require_version(rows.value(conn, query("database", "read_setting"), {"name": "installed_version"}))


def require_version(migrated: str | None) -> None:
    """Raise NotInstalledError unless this is the version that the program which migrated last has installed."""
    if migrated != INSTALLED_VERSION:
        last = "by an older program" if migrated is None else f"for {migrated}"
        raise NotInstalledError(
            f"This program needs version {INSTALLED_VERSION} of the installation, and the database was last migrated"
            f" {last}: run migrate with this program, or run the program that migrated last."
        )


def is_built(conn: Connection) -> bool:
    """Return whether a complete build has ever ended."""
    return conn.execute(query("core", "is_built")).fetchone() is not None


def require_built(conn: Connection) -> None:
    """Raise NotInstalledError as `require_installed` does, and if the read model was never built."""
    require_installed(conn)
    if not is_built(conn):
        raise NotInstalledError(
            "The read model was never built: run rebuild, or start the scheduler with run."
        )


def require_filled(conn: Connection) -> None:
    """Raise ProjectorError if a part of the read model was never filled: a file would silently lack it."""
    row = conn.execute(query("core", "read_unfilled")).fetchone()
    if row is not None:
        what, done = row
        raise ProjectorError(
            f"Not built yet: {what}. It is when the rebuild of everything ends, which"
            f" {'has not begun' if done is None else f'has done {done:.0%}'}: see `status`, and try again then."
        )


def require_tenants(conn: Connection, tenants: Sequence[str]) -> None:
    """Raise TenantNotFoundError for the first tenant that neither the source nor the read model knows."""
    in_source = {*rows.values(conn, query("core", "find_source_tenants"), {"tenants": list(tenants)})}
    for user_id in tenants:
        if user_id not in in_source and not rows.value(
            conn, query("core", "is_stored_tenant"), {"user_id": user_id}
        ):
            raise TenantNotFoundError(
                f"There is no tenant {user_id!r}, neither in the source nor in the read model: check the USER_ID."
            )
