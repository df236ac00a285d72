"""The role `leads_reader`, which reads the views of `leads_sql` and nothing else."""

import psycopg

from projector.core.pipeline import Connection
from projector.database.schema import sections


def set_up_reader_role(conn: Connection) -> list[str]:
    """Create the role, and let it read the views.

    Returns, where the login may not create it, the statements that a superuser has to run.
    """
    text = sections()["readers"]
    try:
        with conn.transaction():
            conn.execute(text.encode(), prepare=False)
    except psycopg.errors.InsufficientPrivilege:
        return [
            (
                "Nobody can be given the views in leads_sql yet, because this login may not create their role"
                f" leads_reader. If you want it, have a superuser run:\n{text.strip()}"
            )
        ]
    return []
