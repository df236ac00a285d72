-- Open a batch: own those of the wanted shards that are free, and check that capture is intact.
--
-- Parameters: shard_class (first key of the shards' locks), shards (the wanted ones), staging_tables (their names),
-- truncate_above_bytes.
-- Returns: started_at, the clock before the snapshot of this statement; fresh_until, the same, or an earlier moment
-- where logical replication brings the rows of source tables and has not brought more for certain; owned, the shards
-- that are locked now; clock, the clock after that; gap, what the catalog says otherwise than when the triggers were
-- installed, null if nothing; has_changes, whether there is anything to take; migrated_version, the projection version
-- of the program that migrated last; freshness_frozen, whether freshness has to stand still because a gap is not healed
-- yet; bloated_tables, the staging tables that hold more bytes than that.
--
-- The clock is read first, then the catalog, and the changes are taken last: so every change that was committed before
-- started_at was captured, and the take sees it.
SELECT
    now() AS started_at,
    least(now(), (SELECT p.until FROM projector.provable AS p)) AS fresh_until,
    ARRAY(
        SELECT wanted.shard
        FROM unnest(%(shards)s::smallint[]) AS wanted (shard)
        WHERE pg_try_advisory_xact_lock(%(shard_class)s, wanted.shard)
    ) AS owned,
    clock_timestamp() AS clock,
    (
        SELECT b.reason
        FROM projector.broken_capture AS b
    ) AS gap,
    EXISTS (
        SELECT 1
        FROM projector.changes AS c
        WHERE c.shard = any(%(shards)s::smallint[])
    ) AS has_changes,
    (
        SELECT s.value
        FROM projector.settings AS s
        WHERE s.name = 'projection_version'
    ) AS migrated_version,
    EXISTS (
        SELECT 1
        FROM projector.capture_gaps AS g
        WHERE g.healed_at IS NULL
    ) AS freshness_frozen,
    ARRAY(
        SELECT staging.name
        FROM unnest(%(staging_tables)s::text[]) AS staging (name)
        WHERE pg_relation_size(to_regclass(staging.name)) > %(truncate_above_bytes)s
    ) AS bloated_tables;
