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
-- Returns: has_changes, gap, migrated_version and freshness_frozen as 1_take/20_open_batch.sql does; has_letters,
-- whether there are dead letters; fresh_until, to which moment freshness may move if capture is intact, null where it
-- may not; is_fed, whether logical replication brings the rows of source tables, or did. What it has not brought is
-- proved by nothing here, so freshness ends where projector.provable says.
--
-- The clock is read before the snapshot of this statement. What was committed before it was captured, unless there is
-- a gap; and since the snapshot shows no change in the queue, refreshes that have committed have brought all of it into
-- the read model. A refresh in progress has its changes in the queue until it commits. A first build owns the shards,
-- and has freshness stand still as it has refreshes wait.
SELECT
    looked.has_changes,
    looked.gap,
    looked.migrated_version,
    looked.freshness_frozen,
    looked.has_letters,
    CASE WHEN NOT looked.has_changes AND NOT looked.freshness_frozen AND looked.owns_all THEN looked.provable_until END
        AS fresh_until,
    looked.is_fed
FROM (
    SELECT
        least(now(), (SELECT p.until FROM projector.provable AS p)) AS provable_until,
        EXISTS (SELECT FROM projector.feeds) OR EXISTS (SELECT FROM projector.origin) AS is_fed,
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
    OFFSET 0
) AS looked;

-- name: look_and_advance
-- Looks as look does, which is {looked}, and moves freshness where nothing waits and capture is intact. It is one
-- statement in a transaction of its own.
--
-- Parameters: those of look; version, the projection version of this program; at_least, how old freshness is before it
-- is moved. A time that the clock has not reached comes from a clock that was set back, as in
-- 9_finish/20_advance_freshness.sql.
WITH looked AS MATERIALIZED ({looked}),

moved AS (
    UPDATE read_model.freshness AS f
    SET as_of = looked.fresh_until, shards = array_fill(looked.fresh_until, ARRAY[cardinality(f.shards)])
    FROM looked
    WHERE looked.fresh_until IS NOT NULL
        AND looked.gap IS NULL
        AND looked.migrated_version = %(version)s
        AND (f.as_of + %(at_least)s::interval <= looked.fresh_until OR f.as_of > clock_timestamp())
)

SELECT l.*
FROM looked AS l;

-- name: is_older
-- Returns whether freshness of a shard would move. Parameters: as for 9_finish/20_advance_freshness.sql.
SELECT coalesce(bool_or(
    s.as_of + %(at_least)s::interval <= %(fresh_until)s OR s.as_of > clock_timestamp()
), false) AS is_older
FROM read_model.freshness AS f
CROSS JOIN LATERAL unnest(f.shards) WITH ORDINALITY AS s (as_of, place)
WHERE s.place - 1 = any(%(shards)s::smallint[]);

-- name: own_shards
-- Returns whether this transaction owns all of these shards, and the clock after that. Parameters: as for look.
SELECT
    bool_and(pg_try_advisory_xact_lock(%(shard_class)s, wanted.shard)) AS is_owned,
    clock_timestamp() AS clock
FROM unnest(%(shards)s::smallint[]) AS wanted (shard);
