"""The end of an application that a test has made in its own process."""

from flask import Flask

from api.database.pool import KEY_SESSIONS
from tests.support.patience import PATIENCE


def close_application(app: Flask) -> None:
    """Close the sessions of an application.

    First wait for those in use: by a background check, and by a request whose caller has left.
    """
    parts = app.extensions["leads"]
    for _ in range(parts.config.threads + KEY_SESSIONS):
        assert parts.database._places.acquire(timeout=PATIENCE)  # noqa: SLF001  # Only a test ends before its process.
    parts.database.close()
    # The garbage collector would close its sockets with a warning.
    store = parts.limit and parts.limit._store  # noqa: SLF001
    if hasattr(store and store.storage, "storage"):
        store.storage.storage.close()
