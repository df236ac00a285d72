-- Take the next changes of the shards that this transaction owns: delete them from the queue, and stage them.
--
-- Parameters: shards; single_changes and bulk_pieces, how many of either to take from each shard; rows_per_piece, as in
-- projector.upcoming_changes(); chosen, where the changes are that the step before has chosen, and all_chosen, whether
-- it left none, both null where the oldest are taken.
-- Returns: changes, the number taken; oldest, when the first of them was queued; drained, whether everything of the
-- shards that this statement, or the step before, could see was taken; spreads, whether a change has to be spread over
-- other keys first.
--
-- Single changes come first, with only a few pieces of mass changes after them, so that an import does not delay a
-- customer's message. A ctid is safe here: rows of the queue are never updated, and only the owner of a shard deletes
-- from it.
WITH upcoming AS MATERIALIZED (
    SELECT
        u.shard,
        u.bulk,
        u.row_id,
        u.can_be_taken
    FROM projector.upcoming_changes(
        %(shards)s::smallint[], %(single_changes)s::integer, %(bulk_pieces)s::integer, %(rows_per_piece)s::integer
    ) AS u
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
    ) AS spreads
FROM taken;
