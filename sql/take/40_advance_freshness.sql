-- Say how fresh the shards are: everything committed before started_at is contained once this transaction commits.
--
-- Parameters: shards, started_at, at_least (an idle refresh moves a row only when it is a second old). The rows come
-- with the first rebuild of everything: before it, a drained queue says nothing.
UPDATE read_model.freshness AS f
SET as_of = %(started_at)s
WHERE f.shard = any(%(shards)s::smallint[]) AND f.as_of + %(at_least)s::interval <= %(started_at)s;
