-- The queries of projector/operate/origin/.

-- The origin of rows that logical replication brings, and how far its subscriptions are.

-- name: read_origin_clock
-- At the origin. Returns: at, its clock. Read it before the position.
SELECT clock_timestamp() AS at;

-- name: read_origin_position
-- At the origin. Returns: position, behind all commits until now; slots, how many of the slots exist here. Parameter:
-- slots.
--
-- A commit that does not wait for the disk is behind the flushed position, so this is the position of the next record.
-- At the start of a page, only the page header lies between the two.
SELECT
    CASE
        WHEN w.inserted - w.flushed IN (24, 40) AND (w.flushed - '0/0'::pg_lsn) %% 8192 = 0 THEN w.flushed
        ELSE w.inserted
    END::text AS position,
    (
        SELECT count(*)
        FROM pg_catalog.pg_replication_slots AS s
        WHERE s.slot_name = any(%(slots)s::text[]) AND s.database = current_database()
    ) AS slots
FROM (
    SELECT
        pg_current_wal_insert_lsn() AS inserted,
        pg_current_wal_flush_lsn() AS flushed
) AS w;

-- name: push_to_disk
-- At the origin, if the position stands still without being proved. Returns a row if the WAL ended with an unflushed
-- record.
--
-- A subscription receives only flushed records, and PostgreSQL may leave one unflushed for 15 seconds, for example
-- after a query that pruned a page was cancelled. A transaction with an id flushes it when it ends.
SELECT pg_current_xact_id() AS xid
WHERE pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn();

-- name: read_newest_clock
-- Returns: newest_clock, the newest reading of the origin's clock, or a proved or claimed moment if it is later: a
-- clock behind it was set back; set_backs, how often a clock was found to have been set back.
SELECT
    greatest(
        max(o.newest_clock),
        max(o.proved_at),
        (SELECT max(s.as_of) FROM read_model.freshness AS f CROSS JOIN LATERAL unnest(f.shards) AS s (as_of))
    ) AS newest_clock,
    coalesce(max(o.set_backs), 0) AS set_backs
FROM projector.origin AS o;

-- name: find_proof
-- Returns: at, the latest of these moments of the origin whose position every subscription has applied; null if there
-- is none, if no subscription brings one of the source tables, or if rows or columns of one were left out.
-- Parameters: moments and positions, in pairs.
SELECT max(m.at) AS at
FROM unnest(%(moments)s::timestamptz[], %(positions)s::pg_lsn[]) AS m (at, position)
WHERE m.position <= (
    SELECT min(coalesce(CASE WHEN f.unready_tables = 0 AND f.has_worker THEN f.position END, '0/0'::pg_lsn))
    FROM projector.feeds AS f
)
AND NOT EXISTS (SELECT FROM projector.unfed_tables)
AND NOT EXISTS (SELECT FROM projector.left_out);

-- name: note_look
-- Parameters: clock and position, the clock of the origin and the end of its WAL, null if it did not answer; errors, of
-- the subscriptions so far.
INSERT INTO projector.origin AS o (position, errors, seen_errors, newest_clock)
VALUES (%(position)s::pg_lsn, 0, %(errors)s, %(clock)s)
ON CONFLICT (only_row) DO UPDATE
    SET
        position = coalesce(excluded.position, o.position),
        newest_clock = coalesce(excluded.newest_clock, o.newest_clock),
        seen_errors = excluded.seen_errors,
        failed_at = CASE WHEN excluded.seen_errors > o.seen_errors THEN clock_timestamp() ELSE o.failed_at END
    WHERE excluded.newest_clock IS NOT NULL OR o.seen_errors <> excluded.seen_errors;

-- name: note_proof
-- Parameters: at, a moment of the origin before which everything has arrived; errors, of the subscriptions so far;
-- set_backs, read before the moment, which is void if a clock was found set back since.
UPDATE projector.origin AS o
SET proved_at = %(at)s, errors = %(errors)s
WHERE o.set_backs = %(set_backs)s AND o.proved_at IS DISTINCT FROM %(at)s;

-- name: forget_proof
-- Forgets what is proved, and makes sessions that read a moment earlier forget it.
UPDATE projector.origin AS o
SET proved_at = NULL, set_backs = o.set_backs + 1;

-- name: forget_origin
-- Forgets the origin once the source tables are the platform's own again: nothing needs a proof, or is left out.
WITH forgotten AS (
    DELETE FROM projector.left_out
)

DELETE FROM projector.origin;

-- name: note_problem
-- Notes for readiness what keeps changes from arriving; null for nothing.
UPDATE read_model.projection AS p
SET feed_problem = %(problem)s
WHERE p.feed_problem IS DISTINCT FROM %(problem)s;

-- What the platform's publications leave out, if logical replication brings the rows of the source tables.

-- name: read_brought_tables
-- Returns the columns of Brought in projector/operate/origin/publications.py. A generated column does not arrive.
SELECT
    format('%I.%I', n.nspname, c.relname) AS name,
    n.nspname::text AS schema_name,
    c.relname::text AS table_name,
    t.schema_name AS source_schema,
    t.table_name AS source_name,
    s.subpublications AS publications,
    CASE WHEN r.srsubstate IN ('s', 'r') THEN concat(r.srsubid, ' at ', coalesce(r.srsublsn, '0/0')) END AS copy,
    ARRAY(
        SELECT w.name
        FROM jsonb_array_elements_text(t.details -> 'columns') WITH ORDINALITY AS w (name, place)
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = w.name
        WHERE coalesce(a.attgenerated, '') = ''
        ORDER BY w.place
    ) AS columns
FROM pg_catalog.pg_subscription_rel AS r
INNER JOIN pg_catalog.pg_subscription AS s ON s.oid = r.srsubid
INNER JOIN pg_catalog.pg_class AS c ON c.oid = r.srrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_catalog.pg_class AS root ON root.oid = coalesce(pg_catalog.pg_partition_root(c.oid)::oid, c.oid)
INNER JOIN pg_catalog.pg_namespace AS rn ON rn.oid = root.relnamespace
INNER JOIN projector.source_tables AS t ON t.schema_name = rn.nspname AND t.table_name = root.relname
ORDER BY name, s.subname;

-- name: find_left_out
-- At the origin. Returns name, and reason in words, of those of these tables that are not published completely, and of
-- partitions with rows that belong to none of them.
--
-- Parameter: brought, an array of objects as read_brought_tables returns them.
--
-- Another publication of the same subscription may bring what one leaves out. Before PostgreSQL 15, whole rows and all
-- rows are published, and the view has no columns for anything else.
WITH brought AS (
    SELECT b.*
    FROM jsonb_to_recordset(%(brought)s) AS b (
        name text, schema_name text, table_name text, source_schema text, source_name text, publications text[],
        columns text[]
    )
),

published AS (
    SELECT
        b.name,
        to_jsonb(t) -> 'attnames' AS columns,
        to_jsonb(t) ->> 'rowfilter' IS NULL AS is_whole,
        p.pubinsert,
        p.pubupdate,
        p.pubdelete,
        p.pubtruncate
    FROM brought AS b
    INNER JOIN pg_catalog.pg_publication_tables AS t ON t.schemaname = b.schema_name AND t.tablename = b.table_name
    INNER JOIN pg_catalog.pg_publication AS p ON p.pubname = t.pubname
    WHERE t.pubname = any(b.publications)
),

lacking AS (
    SELECT
        b.name,
        count(p.name) > 0 AS is_published,
        coalesce(bool_or(p.is_whole), false) AS has_all_rows,
        ARRAY(
            SELECT c.name
            FROM unnest(b.columns) AS c (name)
            WHERE NOT EXISTS (
                SELECT
                FROM published AS has_it
                WHERE has_it.name = b.name AND (has_it.columns IS NULL OR has_it.columns ? c.name)
            )
        ) AS columns,
        concat_ws(
            ', ',
            CASE WHEN NOT bool_or(p.is_whole AND p.pubinsert) THEN 'INSERT' END,
            CASE WHEN NOT bool_or(p.is_whole AND p.pubupdate) THEN 'UPDATE' END,
            CASE WHEN NOT bool_or(p.is_whole AND p.pubdelete) THEN 'DELETE' END,
            CASE WHEN NOT bool_or(p.is_whole AND p.pubtruncate) THEN 'TRUNCATE' END
        ) AS statements
    FROM brought AS b
    LEFT JOIN published AS p ON p.name = b.name
    GROUP BY b.name, b.columns
)

SELECT
    l.name,
    CASE
        WHEN NOT l.is_published THEN 'not at all'
        WHEN cardinality(l.columns) = 1 THEN 'without the column ' || l.columns[1]
        WHEN cardinality(l.columns) > 1 THEN 'without the columns ' || array_to_string(l.columns, ', ')
        WHEN NOT l.has_all_rows THEN 'with a row filter'
        ELSE 'without ' || l.statements
    END AS reason
FROM lacking AS l
WHERE l.columns <> '{}' OR NOT l.has_all_rows OR l.statements <> ''
UNION ALL
SELECT
    (pg_identify_object('pg_class'::regclass, leaf.relid, 0)).identity AS name,
    'not at all' AS reason
FROM (SELECT DISTINCT format('%%I.%%I', b.source_schema, b.source_name) AS name FROM brought AS b) AS source
CROSS JOIN LATERAL pg_catalog.pg_partition_tree(to_regclass(source.name)) AS leaf
WHERE leaf.isleaf
    AND leaf.level > 0
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_partition_ancestors(leaf.relid) AS above
        INNER JOIN brought AS b ON to_regclass(format('%%I.%%I', b.schema_name, b.table_name)) = above.relid
    );

-- name: read_left_out
SELECT o.*
FROM projector.left_out AS o
ORDER BY o.table_name;

-- name: note_left_out
-- Notes what is left out, and forgets the rest. Parameters: tables, reasons and copies, of the same length.
WITH forgotten AS (
    DELETE FROM projector.left_out
    WHERE table_name <> all(%(tables)s::text[])
)

INSERT INTO projector.left_out AS o (table_name, reason, copy)
SELECT *
FROM unnest(%(tables)s::text[], %(reasons)s::text[], %(copies)s::text[])
ON CONFLICT (table_name) DO UPDATE
    SET reason = excluded.reason, copy = excluded.copy
    WHERE (o.reason, o.copy) IS DISTINCT FROM (excluded.reason, excluded.copy);

-- The subscriptions that bring rows of the source tables.

-- name: read_feeds
-- Returns the columns of Feed in projector/operate/origin/proof.py.
SELECT
    f.*,
    CASE
        WHEN o.position < f.position THEN 0
        ELSE pg_wal_lsn_diff(o.position, f.position)::bigint
    END AS bytes_behind
FROM projector.feeds AS f
LEFT JOIN projector.origin AS o ON true
ORDER BY f.name;

-- name: read_unfed_tables
-- Returns the names of the source tables that no subscription brings, as projector.unfed_tables says.
SELECT u.name
FROM projector.unfed_tables AS u
ORDER BY u.name;

-- name: read_errors
-- Returns: errors, of the subscriptions when a proof was noted last; no row before the first.
SELECT o.errors
FROM projector.origin AS o;
