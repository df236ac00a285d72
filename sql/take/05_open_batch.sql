-- Open a batch: own what is free of the wanted shards, and look whether capture is intact.
--
-- Parameters: shard_class (first key of the shards' locks), shards (the wanted ones); stage and room, as for
-- find_crowded.
-- Returns: started_at, the clock before this statement's snapshot (the transaction began in an earlier message);
-- owned, the shards that are locked now; gap, what the catalog says otherwise than when the triggers were installed,
-- null when nothing; waiting, whether there is anything to take; held, whether freshness has to stand still, because
-- a gap is not healed yet; crowded, what find_crowded finds.
-- Clock first, then the look at the catalog, then the take: so every change that was committed before started_at was
-- captured, and is seen by the take.
SELECT
    now() AS started_at,
    ARRAY(
        SELECT wanted.shard
        FROM unnest(%(shards)s::smallint[]) AS wanted (shard)
        WHERE pg_try_advisory_xact_lock(%(shard_class)s, wanted.shard)
    ) AS owned,
    (
        SELECT b.reason
        FROM projector.broken_capture AS b
    ) AS gap,
    EXISTS (
        SELECT 1
        FROM projector.changes AS c
        WHERE c.shard = any(%(shards)s::smallint[])
    ) AS waiting,
    EXISTS (
        SELECT 1
        FROM projector.capture_gaps AS g
        WHERE g.healed_at IS NULL
    ) AS held,
    ARRAY(
        SELECT stage.name
        FROM unnest(%(stage)s::text[]) AS stage (name)
        WHERE pg_relation_size(to_regclass(stage.name)) > %(room)s
    ) AS crowded;
