-- Take the next changes of the shards that this transaction owns: delete them from the queue, stage them.
--
-- Parameters: shards; singles and pieces, how many of either to take from each shard. Single changes go first and
-- only a few pieces of mass changes beside them, so that an import does not hold up a customer's message.
-- Returns: changes taken; the oldest of them; whether the shards are drained, that is, whether everything that this
-- statement could see of them was taken; whether a change stands for keys that have to be spread first; their kinds.
-- While everything is rebuilt beside, the changes are kept for it as well. This statement looks for that after the
-- shards are owned, and the rebuild bucket_start after it has owned each shard once: so none is missed.
-- ctid is safe here: rows of the queue are never updated, and nobody else deletes from an owned shard.
WITH upcoming AS MATERIALIZED (
    SELECT
        owned.shard,
        picked.row_id,
        picked.bulk
    FROM unnest(%(shards)s::smallint[]) AS owned (shard)
    CROSS JOIN LATERAL (
        (
            SELECT
                c.ctid AS row_id,
                c.bulk
            FROM projector.changes AS c
            WHERE c.shard = owned.shard AND NOT c.bulk
            ORDER BY c.change_id
            LIMIT %(singles)s
        )
        UNION ALL
        (
            SELECT
                c.ctid AS row_id,
                c.bulk
            FROM projector.changes AS c
            WHERE c.shard = owned.shard AND c.bulk
            ORDER BY c.change_id
            LIMIT %(pieces)s
        )
    ) AS picked
),

taken AS (
    DELETE FROM projector.changes
    WHERE ctid = any(ARRAY(SELECT upcoming.row_id FROM upcoming))
    RETURNING change_id, shard, kind, keys, message_ids, queued_at
),

staged AS (
    INSERT INTO stage_changes (change_id, shard, kind, keys, message_ids, queued_at)
    SELECT
        taken.change_id,
        taken.shard,
        taken.kind,
        taken.keys,
        taken.message_ids,
        taken.queued_at
    FROM taken
),

replayed AS (
    INSERT INTO projector.replay (change_id, shard, bulk, kind, keys, message_ids, queued_at)
    SELECT
        taken.change_id,
        taken.shard,
        false,
        taken.kind,
        taken.keys,
        taken.message_ids,
        taken.queued_at
    FROM taken
    WHERE EXISTS (
        SELECT 1
        FROM projector.settings AS s
        WHERE s.name = 'rebuilding_beside'
    )
)

SELECT
    count(*) AS changes,
    min(taken.queued_at) AS oldest,
    NOT EXISTS (
        SELECT 1
        FROM upcoming
        GROUP BY upcoming.shard, upcoming.bulk
        HAVING count(*) >= CASE WHEN upcoming.bulk THEN %(pieces)s ELSE %(singles)s END
    ) AS drained,
    coalesce(
        bool_or(
            taken.kind IN ('agents', 'phone_numbers', 'templates', 'truncate')
            OR cardinality(taken.message_ids) > 2000
        ),
        false
    ) AS spreads,
    coalesce(array_agg(DISTINCT taken.kind), '{}') AS kinds
FROM taken;
