"""Exports all leads or messages of a tenant as of one moment: the same lines as the API's exports."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from projector.core.preconditions import require_built, require_filled, require_tenants
from projector.database.rows import Connection, value
from projector.database.sql import query
from projector.report.errors import ProjectorError
from projector.report.progress import Progress

_LINES_AT_ONCE = 1000


def export(  # noqa: PLR0913  # What to export, and where to.
    conn: Connection,
    user_id: str,
    kind: str,
    file: Path,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    progress: Progress,
) -> tuple[int, datetime | None]:
    """Write the file from one snapshot; return how many leads or messages it has, and its as-of.

    `kind` is leads.csv, leads.ndjson or messages.ndjson.

    The file gets its name when it is complete.

    `start` and `end` are the moments from which and before which messages were sent. Raises ProjectorError if the file
    cannot be written or a part of the read model is not filled yet, NotInstalledError if that was never built, and
    TenantNotFoundError.
    """
    require_built(conn)
    require_filled(conn)
    require_tenants(conn, [user_id])
    part: Path | None = None
    noun = kind.partition(".")[0]
    parameters: dict[str, object] = {"user_id": user_id, "start": start, "end": end}
    try:
        # Only the caller may read customers' data, so the file is new and has mode 0600.
        with NamedTemporaryFile(
            dir=file.parent, prefix=f".{file.name}.", suffix=".part", delete=False
        ) as opened:
            part = Path(opened.name)
            with conn.transaction():
                conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                as_of: datetime | None = value(conn, query("operate", "read_as_of"), parameters)
                progress.start(kind, value(conn, query("operate", f"count_{noun}"), parameters), noun)
                count = 0
                if kind == "leads.csv":
                    opened.write(value(conn, query("operate", "read_header")).encode())
                for lines in _lines(conn, kind, parameters):
                    opened.write("".join(lines).encode())
                    count += len(lines)
                    progress.advance(len(lines))
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(file)
    except OSError as error:
        raise ProjectorError(f"The file {file} cannot be written: {error.strerror}.") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
        progress.finish()
    return count, as_of


def _lines(conn: Connection, kind: str, parameters: dict[str, object]) -> Iterator[list[str]]:
    with conn.cursor("export") as cursor:
        cursor.execute(query("operate", kind.replace(".", "_as_")), parameters)
        while lines := cursor.fetchmany(_LINES_AT_ONCE):
            yield [line for (line,) in lines]
