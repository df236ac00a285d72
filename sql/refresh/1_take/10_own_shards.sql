-- Lock shards of the queue: the free ones, or with `wait` all of them.
--
-- Parameters: shard_class (first key of the shards' locks), shards (the wanted ones), wait.
-- Returns: owned, the shards that are now locked. Later statements read their rows, because an earlier snapshot would
-- not show what the previous owner left there.
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
