-- Own shards of the queue: those that are free, or all of them, for whose outcome somebody waits.
--
-- Parameters: shard_class (first key of the shards' locks), shards (the wanted ones), wait.
-- Returns: owned, the shards that are locked now. What they hold is read in later statements: a snapshot from before
-- would not show what the batch that has just given one back has left there.
SELECT
    ARRAY(
        SELECT wanted.shard
        FROM (
            SELECT w.shard
            FROM unnest(%(shards)s::smallint[]) AS w (shard)
            ORDER BY w.shard
            OFFSET 0
        ) AS wanted
        WHERE CASE
            WHEN %(wait)s THEN pg_advisory_xact_lock(%(shard_class)s, wanted.shard) IS NOT NULL
            ELSE pg_try_advisory_xact_lock(%(shard_class)s, wanted.shard)
        END
    ) AS owned;
