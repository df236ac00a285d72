"""Which of the steps failed, where a statement of PostgreSQL does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from projector.database.sql import Step


def failing_step(error: BaseException) -> str | None:
    """Return the file of the step in which a statement failed; None if the error comes from elsewhere."""
    name: str | None = getattr(error, "_leads_step", None)
    return None if name is None else f"sql/{name.partition(' ')[0]}.sql"


@contextmanager
def named_failures() -> Iterator[list[tuple[Step, psycopg.Cursor[Any]]]]:
    """Note on an error of PostgreSQL which of the steps failed: in a pipeline, the first one without a result."""
    sent: list[tuple[Step, psycopg.Cursor[Any]]] = []
    try:
        yield sent
    except psycopg.Error as error:
        failed = next((one for one, cursor in sent if cursor.pgresult is None), None)
        if failed is not None:
            error.__dict__["_leads_step"] = failed.name
            error.add_note(f"in sql/{failed.name}.sql")
        raise
