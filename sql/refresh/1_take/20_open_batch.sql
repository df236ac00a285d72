-- Open a batch: check that capture is intact, and find out which changes wait.
--
-- Parameters: shards (the wanted ones), staging_tables (their names), truncate_above_bytes and leave_below_bytes;
-- least_clock, the least time of the clock unless it was set back since this session last read it, null before the
-- first reading.
-- Returns: started_at, the clock before the snapshot of this statement; fresh_until, the same, or an earlier moment if
-- logical replication brings the rows of source tables and is only known to be complete up to then; clock, a later
-- reading of the clock; gap, has_late_keys, migrated_version and freshness_frozen as in projector.queue_state;
-- has_changes and has_mass_changes, whether single changes and mass changes wait; held_shards, the shards from which
-- changes of a kind unknown to this version were put aside; is_set_back, whether the clock was set back since it was
-- last noted in freshness or read by this session; set_backs of freshness; is_built, whether the first build has ended,
-- before which changes stay in the queue; bloated_tables, the staging tables of more than leave_below_bytes if one of
-- them holds more than truncate_above_bytes.
--
-- The clock is read first, then the catalog, and the changes are taken last: so every change committed before
-- started_at was captured, and the step that takes changes sees it.
SELECT
    now() AS started_at,
    state.provable_until AS fresh_until,
    clock_timestamp() AS clock,
    state.gap,
    EXISTS (
        SELECT 1
        FROM projector.changes AS c
        WHERE c.shard = any(%(shards)s::smallint[]) AND NOT c.bulk
    ) AS has_changes,
    EXISTS (
        SELECT 1
        FROM projector.changes AS c
        WHERE c.shard = any(%(shards)s::smallint[]) AND c.bulk
    ) AS has_mass_changes,
    state.has_late_keys,
    EXISTS (
        SELECT
        FROM read_model.freshness AS f
        WHERE clock_timestamp() < any(f.shards || f.newest_clock || %(least_clock)s::timestamptz)
    ) AS is_set_back,
    (SELECT f.set_backs FROM read_model.freshness AS f) AS set_backs,
    ARRAY(
        SELECT owned.shard
        FROM unnest(%(shards)s::smallint[]) AS owned (shard)
        -- With a plain join, each batch would read the whole queue.
        CROSS JOIN LATERAL (SELECT FROM projector.changes AS c WHERE c.shard = owned.shard + 10 LIMIT 1) AS held
    ) AS held_shards,
    state.migrated_version,
    state.freshness_frozen,
    EXISTS (SELECT FROM read_model.projection AS p WHERE p.built_at IS NOT NULL) AS is_built,
    ARRAY(
        SELECT staging.name
        FROM (
            SELECT
                named.name,
                file.bytes,
                max(file.bytes) OVER () AS most_bytes
            FROM unnest(%(staging_tables)s::text[]) AS named (name)
            CROSS JOIN LATERAL (SELECT pg_relation_size(to_regclass(named.name)) AS bytes) AS file
        ) AS staging
        WHERE staging.most_bytes > %(truncate_above_bytes)s AND staging.bytes > %(leave_below_bytes)s
    ) AS bloated_tables
FROM projector.queue_state AS state;
