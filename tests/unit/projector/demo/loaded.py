"""A demo that is loaded, and how its rows are read."""

from datetime import UTC, date, datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from projector.report.progress import QUIET, Progress
from projector.trial import demo
from projector.trial.demo.source_rows import TABLES

Connection = psycopg.Connection[TupleRow]


TODAY = date(2026, 11, 25)


MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)


# One row per conversation, counted send or extraction, with tenant and canonical phone.
LEADS = """
CREATE TEMPORARY VIEW canonical AS
    SELECT source.*,
        CASE WHEN phone ~ '^[+]?[0-9 ().-]*$' THEN regexp_replace(phone, '[^0-9]', '', 'g') ELSE phone END
            AS lead
    FROM (
        SELECT a.user_id, p.platform, c.customer_phone AS phone, c.conversation_id, NULL AS send_id
        FROM conversations AS c
        JOIN agents AS a USING (agent_id)
        JOIN phone_numbers AS p ON p.id = a.phone_number_id
        UNION ALL
        SELECT t.user_id, p.platform, s.customer_phone, NULL, s.send_id
        FROM template_sends AS s
        JOIN templates AS t USING (template_id)
        JOIN phone_numbers AS p ON p.id = t.phone_number_id
        WHERE s.status NOT IN ('PENDING', 'FAILED')
    ) AS source
"""


def load(  # noqa: PLR0913  # As the function itself.
    conn: psycopg.Connection[Any],
    *,
    tenants: int = 0,
    leads: int = 100,
    messages_per_lead: float = 5,
    seed: int = 1,
    today: date = TODAY,
    progress: Progress = QUIET,
) -> demo.DemoReport:
    return demo.load(
        conn,
        tenants=tenants,
        leads=leads,
        messages_per_lead=messages_per_lead,
        seed=seed,
        today=today,
        progress=progress,
    )


def rows(conn: Connection, query: str, *parameters: object) -> list[TupleRow]:
    return conn.execute(query.encode(), parameters).fetchall()


def one(conn: Connection, query: str, *parameters: object) -> Any:  # noqa: ANN401  # Whatever the query returns.
    ((value,),) = rows(conn, query, *parameters)
    return value


def contents(conn: Connection) -> dict[str, list[TupleRow]]:
    return {
        table: rows(conn, f'SELECT {", ".join(columns)} FROM {table} ORDER BY {columns[0]} COLLATE "C"')
        for table, columns in TABLES.items()
        if table != "extractions"
    } | {"extractions": rows(conn, "SELECT * FROM extractions ORDER BY extraction_id")}
