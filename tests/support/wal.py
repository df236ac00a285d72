"""What was written to a database, counted in the WAL: the pages that were changed, and the records about them."""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

Connection = psycopg.Connection[TupleRow]

# Of the relations of the projector alone: what else runs, such as an ANALYZE of autovacuum, writes to others. The
# records of XLOG are images of pages that a reader marked, for the first time since a checkpoint.
_PAGES = r"""
SELECT c.relname, count(*), count(DISTINCT block.number)
FROM pg_get_wal_records_info(%s, pg_current_wal_flush_lsn()) AS record,
    regexp_matches(record.block_ref, 'rel \d+/(\d+)/(\d+) (?:fork main )?blk (\d+)', 'g') AS found(parts),
    LATERAL (SELECT parts[1]::oid AS database, parts[2]::oid AS file, parts[3]::bigint AS number) AS block
    JOIN pg_database AS d ON d.oid = block.database AND d.datname = current_database()
    JOIN pg_class AS c ON pg_relation_filenode(c.oid) = block.file
WHERE record.resource_manager <> 'XLOG'
    AND c.relnamespace IN ('read_model'::regnamespace, 'projector'::regnamespace)
GROUP BY c.relname
"""


@dataclass(frozen=True, slots=True)
class Written:
    """Of a table or an index: how many pages were changed, and how often one of them was."""

    pages: int
    changes: int


def written(conn: Connection, work: Callable[[], object]) -> dict[str, Written]:
    """Returns what the work has written, by table and index. Nobody else may write to the database meanwhile."""
    conn.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
    row = conn.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
    work()
    # Only what was flushed can be read: this commit waits for it, also where others need not.
    with conn.transaction():
        conn.execute("SET LOCAL synchronous_commit = on")
        conn.execute("SELECT pg_logical_emit_message(true, 'tests', '')")
    rows = conn.execute(_PAGES.encode(), row).fetchall()
    return {name: Written(pages, changes) for name, changes, pages in rows}
