-- The origin of rows that logical replication brings: how far its subscriptions are.

-- name: read_origin_clock
-- At the origin. Returns: at, its clock. Read it before the position.
SELECT clock_timestamp() AS at;

-- name: read_origin_position
-- At the origin. Returns: position, behind all that was committed until now; slots, how many of the slots are here.
-- Parameter: slots.
--
-- A commit that does not wait for the disk is behind the flushed position, so this is the position of the next record.
-- At the start of a page, the header of the page lies between the two, and no record.
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
-- At the origin, where the position stands still and nothing proves it. Returns a row if the WAL ended with a record
-- that is not on the disk.
--
-- A subscription gets what is on the disk, and PostgreSQL may leave such a record in memory for 15 seconds, as that of
-- a query that pruned a page and was cancelled. The end of a transaction with an id has it written.
SELECT pg_current_xact_id() AS xid
WHERE pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn();

-- name: find_proof
-- Returns: at, the latest of these moments of the origin whose position every subscription has applied; null if none,
-- if no subscription brings one of the source tables, or if rows or columns of one were left out.
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
-- Parameters: position, where the WAL of the origin ends, null if it could not be asked; errors, of the subscriptions
-- so far.
INSERT INTO projector.origin AS o (position, errors, seen_errors)
VALUES (%(position)s::pg_lsn, 0, %(errors)s)
ON CONFLICT (only_row) DO UPDATE
    SET
        position = coalesce(excluded.position, o.position),
        seen_errors = excluded.seen_errors,
        failed_at = CASE WHEN excluded.seen_errors > o.seen_errors THEN clock_timestamp() ELSE o.failed_at END
    WHERE o.position IS DISTINCT FROM coalesce(excluded.position, o.position) OR o.seen_errors <> excluded.seen_errors;

-- name: note_proof
-- Parameters: at, a moment of the origin before which everything has arrived; errors, of the subscriptions so far.
UPDATE projector.origin AS o
SET proved_at = %(at)s, errors = %(errors)s
WHERE o.proved_at IS DISTINCT FROM %(at)s;

-- name: forget_origin
-- The source tables are the platform's own again: nothing needs a proof, and nothing is left out.
WITH forgotten AS (
    DELETE FROM projector.left_out
)

DELETE FROM projector.origin;

-- name: note_problem
-- Has readiness say what keeps changes from arriving.
--
-- Parameter: problem, null for none.
UPDATE read_model.projection AS p
SET feed_problem = %(problem)s
WHERE p.feed_problem IS DISTINCT FROM %(problem)s;
