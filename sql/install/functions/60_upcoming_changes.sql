-- The next changes of these shards in their order, the single ones of each and the pieces of mass changes: so many
-- single ones, and of mass changes the rows that make so many pieces.
--
-- Small rows of a mass change count as one piece together, if no larger one stands before them: is_single. They are the
-- rows of a mass change that was queued row by row, as sql/capture/30_queue_keys.sql does it, of which rows_per_piece
-- make a piece. can_be_taken is false for a row after these pieces. How large an array is stored is looked at before
-- its length, for which it would have to be read. PostgreSQL inlines it.
DROP FUNCTION IF EXISTS projector.upcoming_changes(smallint[], integer, integer, integer);
CREATE FUNCTION projector.upcoming_changes(
    of_shards smallint[], single_changes integer, pieces integer, rows_per_piece integer
)
RETURNS TABLE (
    shard smallint,
    bulk boolean,
    row_id tid,
    change_id bigint,
    kind text,
    keys text[],
    is_single boolean,
    can_be_taken boolean
)
LANGUAGE sql
STABLE
AS $$
SELECT
    owned.shard,
    next_changes.bulk,
    next_changes.row_id,
    next_changes.change_id,
    next_changes.kind,
    next_changes.keys,
    next_changes.is_single,
    next_changes.can_be_taken
FROM unnest(of_shards) AS owned (shard)
CROSS JOIN LATERAL (
    (
        SELECT
            q.bulk,
            q.ctid AS row_id,
            q.change_id,
            q.kind,
            q.keys,
            true AS is_single,
            true AS can_be_taken
        FROM projector.changes AS q
        WHERE q.shard = owned.shard AND NOT q.bulk
        ORDER BY q.change_id
        LIMIT single_changes
    )
    UNION ALL
    (
        SELECT
            true AS bulk,
            ordered.row_id,
            ordered.change_id,
            ordered.kind,
            ordered.keys,
            ordered.is_single,
            ordered.is_single OR ordered.place <= pieces AS can_be_taken
        FROM (
            SELECT
                c.row_id,
                c.change_id,
                c.kind,
                c.keys,
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
                    q.kind,
                    q.keys,
                    q.message_ids
                FROM projector.changes AS q
                WHERE q.shard = owned.shard AND q.bulk
                ORDER BY q.change_id
                LIMIT pieces * rows_per_piece
            ) AS c
            WINDOW in_order AS (ORDER BY c.change_id)
        ) AS ordered
    )
) AS next_changes
$$;
REVOKE EXECUTE ON FUNCTION projector.upcoming_changes(smallint[], integer, integer, integer) FROM public;
