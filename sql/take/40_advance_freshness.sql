-- Say how fresh the shards are: everything committed before started_at is contained once this transaction commits.
--
-- Parameters: shards, started_at, at_least (an idle refresh moves a row only when it is a second old).
INSERT INTO read_model.freshness AS f (shard, as_of)
SELECT
    drained.shard,
    %(started_at)s
FROM unnest(%(shards)s::smallint[]) AS drained (shard)
ON CONFLICT (shard) DO UPDATE SET as_of = excluded.as_of
WHERE f.as_of + %(at_least)s::interval <= excluded.as_of;
