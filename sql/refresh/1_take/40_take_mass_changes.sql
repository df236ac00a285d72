-- Take the next slice of a mass change from the shards that this transaction owns, to find out whom it concerns: delete
-- it from the queue, and stage it.
--
-- Parameters: shards; bulk, false for single changes of which too many wait; rows and bytes, how many rows of each
-- shard are taken at most, and how many bytes of keys: the first row is always taken.
-- Returns: changes, the number taken; spreads, whether a change has to be spread over other keys first; names, whether
-- one concerns names of tenants.
--
-- A ctid is safe, as in the step before. How large an array is stored is looked at, and not its length, for which it
-- would have to be read.
WITH taken AS (
    DELETE FROM projector.changes
    WHERE ctid = any(
        ARRAY(
            SELECT upcoming.row_id
            FROM unnest(%(shards)s::smallint[]) AS owned (shard)
            CROSS JOIN LATERAL (
                SELECT
                    weighed.row_id,
                    sum(weighed.bytes) OVER (ORDER BY weighed.change_id) - weighed.bytes AS bytes_before
                FROM (
                    SELECT
                        c.ctid AS row_id,
                        c.change_id,
                        pg_column_size(c.keys) + coalesce(pg_column_size(c.message_ids), 0) AS bytes
                    FROM projector.changes AS c
                    WHERE c.shard = owned.shard AND c.bulk = %(bulk)s
                    ORDER BY c.change_id
                    LIMIT %(rows)s
                ) AS weighed
            ) AS upcoming
            WHERE upcoming.bytes_before < %(bytes)s
        )
    )
    RETURNING change_id, shard, kind, keys, message_ids, queued_at
),

staged AS (
    INSERT INTO taken_changes (change_id, shard, kind, keys, message_ids, queued_at)
    SELECT
        taken.change_id,
        taken.shard,
        taken.kind,
        taken.keys,
        taken.message_ids,
        taken.queued_at
    FROM taken
)

SELECT
    count(*) AS changes,
    coalesce(bool_or(projector.is_spread(taken.kind)), false) AS spreads,
    coalesce(bool_or(projector.concerns_names(taken.kind, taken.keys)), false) AS names
FROM taken;
