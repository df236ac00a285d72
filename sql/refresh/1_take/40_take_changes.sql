-- Take the next changes of the shards that this transaction owns: delete them from the queue, and stage them.
--
-- Parameters: shards; single_changes and bulk_pieces, how many of either to take from each shard; rows_per_piece, how
-- many rows of a single change make a piece where a mass change was queued row by row, as 30_queue_keys.sql does it.
-- Single changes come first, with only a few pieces of mass changes after them, so that an import does not delay a
-- customer's message. How large an array is stored is looked at before its length, for which it would have to be read.
-- Returns: changes, the number taken; oldest, when the first of them was queued; drained, whether everything of the
-- shards that this statement could see was taken; spreads, whether one of them has to be spread over other keys
-- first; kinds. A ctid is safe here: rows of the queue are never updated, and only the owner of a shard deletes from
-- it.
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
            LIMIT %(single_changes)s
        )
        UNION ALL
        (
            SELECT
                ordered.row_id,
                true AS bulk
            FROM (
                SELECT
                    c.row_id,
                    row_number() OVER in_order AS place,
                    bool_and(
                        CASE
                            WHEN pg_column_size(c.keys) + coalesce(pg_column_size(c.message_ids), 0) > 2000 THEN false
                            ELSE cardinality(c.keys) <= 2 AND coalesce(cardinality(c.message_ids), 0) <= 2
                        END
                    ) OVER in_order AS are_single
                FROM (
                    SELECT
                        c.ctid AS row_id,
                        c.change_id,
                        c.keys,
                        c.message_ids
                    FROM projector.changes AS c
                    WHERE c.shard = owned.shard AND c.bulk
                    ORDER BY c.change_id
                    LIMIT %(bulk_pieces)s * %(rows_per_piece)s
                ) AS c
                WINDOW in_order AS (ORDER BY c.change_id)
            ) AS ordered
            WHERE ordered.place <= %(bulk_pieces)s OR ordered.are_single
        )
    ) AS picked
),

taken AS (
    DELETE FROM projector.changes
    WHERE ctid = any(ARRAY(SELECT upcoming.row_id FROM upcoming))
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
    min(taken.queued_at) AS oldest,
    NOT EXISTS (
        SELECT 1
        FROM upcoming
        GROUP BY upcoming.shard, upcoming.bulk
        HAVING count(*) >= CASE WHEN upcoming.bulk THEN %(bulk_pieces)s ELSE %(single_changes)s END
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
