-- Take the next changes of the shards that this transaction owns: delete them from the queue, and stage them.
--
-- Parameters: shards; single_changes and bulk_pieces, how many of either to take from each shard; rows_per_piece, how
-- many rows of a single change make a piece where a mass change was queued row by row, as 30_queue_keys.sql does it.
-- chosen, where the changes are that the step before has chosen, and all_chosen, whether it left none; both null where
-- the oldest are taken.
-- Returns: changes, the number taken; oldest, when the first of them was queued; drained, whether everything of the
-- shards that this statement, or the step before, could see was taken; spreads, whether a change has to be spread over
-- other keys first; kinds.
--
-- Single changes come first, with only a few pieces of mass changes after them, so that an import does not delay a
-- customer's message. Small rows of a mass change count as one piece together, if no larger one stands before them. How
-- large an array is stored is looked at before its length, for which it would have to be read. A ctid is safe here:
-- rows of the queue are never updated, and only the owner of a shard deletes from it.
WITH upcoming AS MATERIALIZED (
    SELECT
        owned.shard,
        next_changes.bulk,
        next_changes.row_id,
        next_changes.can_be_taken
    FROM unnest(%(shards)s::smallint[]) AS owned (shard)
    CROSS JOIN LATERAL (
        (
            SELECT
                q.ctid AS row_id,
                q.bulk,
                true AS can_be_taken
            FROM projector.changes AS q
            WHERE q.shard = owned.shard AND NOT q.bulk
            ORDER BY q.change_id
            LIMIT %(single_changes)s
        )
        UNION ALL
        (
            SELECT
                ordered.row_id,
                true AS bulk,
                ordered.is_single OR ordered.place <= %(bulk_pieces)s AS can_be_taken
            FROM (
                SELECT
                    c.row_id,
                    row_number() OVER in_order AS place,
                    bool_and(
                        CASE
                            WHEN pg_column_size(c.keys) + coalesce(pg_column_size(c.message_ids), 0) > 2000 THEN false
                            ELSE cardinality(c.keys) <= 2 AND coalesce(cardinality(c.message_ids), 0) <= 2
                        END
                    ) OVER in_order AS is_single
                FROM (
                    SELECT
                        q.ctid AS row_id,
                        q.change_id,
                        q.keys,
                        q.message_ids
                    FROM projector.changes AS q
                    WHERE q.shard = owned.shard AND q.bulk
                    ORDER BY q.change_id
                    LIMIT %(bulk_pieces)s * %(rows_per_piece)s
                ) AS c
                WINDOW in_order AS (ORDER BY c.change_id)
            ) AS ordered
        )
    ) AS next_changes
),

taken AS (
    DELETE FROM projector.changes
    WHERE ctid = any(coalesce(%(chosen)s::tid[], ARRAY(SELECT u.row_id FROM upcoming AS u WHERE u.can_be_taken)))
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
    coalesce(
        %(all_chosen)s,
        NOT EXISTS (
            SELECT 1
            FROM upcoming AS u
            GROUP BY u.shard, u.bulk
            HAVING
                NOT bool_and(u.can_be_taken)
                OR count(*) >= CASE WHEN u.bulk THEN %(bulk_pieces)s * %(rows_per_piece)s ELSE %(single_changes)s END
        )
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
