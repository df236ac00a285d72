-- Own shards, and wait for the refresh that owns one: somebody waits for the outcome.
--
-- when: wait
-- Parameters: shard_class and shards, as for the next step, which finds them owned.
SELECT pg_advisory_xact_lock(%(shard_class)s, wanted.shard)
FROM (
    SELECT w.shard
    FROM unnest(%(shards)s::smallint[]) AS w (shard)
    ORDER BY w.shard
    OFFSET 0
) AS wanted;
