-- What the scheduler asks between two batches: whether there is anything to do.

-- name: has_changes
-- Returns: whether a change waits. This is the cheap look, of some tens of microseconds.
-- Parameter: shards.
SELECT EXISTS (
    SELECT
    FROM projector.changes AS c
    WHERE c.shard = any(%(shards)s::smallint[])
) AS has_changes;

-- name: look
-- Looks at everything that a batch looks at.
--
-- Parameters: shard_class and shards, as for 1_take/20_open_batch.sql.
-- Returns: started_at, has_changes, gap, migrated_version and freshness_frozen as 1_take/20_open_batch.sql does;
-- has_letters, whether there are dead letters; is_fresh, whether freshness may move to started_at if capture is intact.
--
-- started_at is read before the snapshot of this statement. What was committed before it was captured, unless there is
-- a gap; and since the snapshot shows no change in the queue, refreshes that have committed have brought all of it into
-- the read model. A refresh in progress has its changes in the queue until it commits. A first build owns the shards,
-- and has freshness stand still as it has refreshes wait.
WITH looked AS MATERIALIZED (
    SELECT
        now() AS started_at,
        EXISTS (
            SELECT
            FROM projector.changes AS c
            WHERE c.shard = any(%(shards)s::smallint[])
        ) AS has_changes,
        (
            SELECT b.reason
            FROM projector.broken_capture AS b
        ) AS gap,
        (
            SELECT s.value
            FROM projector.settings AS s
            WHERE s.name = 'projection_version'
        ) AS migrated_version,
        EXISTS (
            SELECT
            FROM projector.capture_gaps AS g
            WHERE g.healed_at IS NULL
        ) AS freshness_frozen,
        EXISTS (SELECT FROM projector.dead_letters) AS has_letters,
        (
            SELECT bool_and(pg_try_advisory_xact_lock(%(shard_class)s, wanted.shard))
            FROM unnest(%(shards)s::smallint[]) AS wanted (shard)
        ) AS owns_all
)

SELECT
    looked.started_at,
    looked.has_changes,
    looked.gap,
    looked.migrated_version,
    looked.freshness_frozen,
    looked.has_letters,
    NOT looked.has_changes AND NOT looked.freshness_frozen AND looked.owns_all AS is_fresh
FROM looked;
