-- Stage the next of the changes that refreshes noted for the rebuild beside. Parameter: size. Returns how many.
WITH taken AS (
    DELETE FROM projector.replay
    WHERE ctid = any(ARRAY(SELECT r.ctid FROM projector.replay AS r LIMIT %(size)s))
    RETURNING change_id, shard, kind, keys, message_ids, queued_at
),

staged AS (
    INSERT INTO stage_changes (change_id, shard, kind, keys, message_ids, queued_at)
    SELECT
        coalesce(taken.change_id, -row_number() OVER ()),
        taken.shard,
        taken.kind,
        taken.keys,
        taken.message_ids,
        taken.queued_at
    FROM taken
    RETURNING 1
)

SELECT count(*) AS changes
FROM staged;
