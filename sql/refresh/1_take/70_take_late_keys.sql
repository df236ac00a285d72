-- Take the next late keys from a lead on: delete them, and stage them as changes.
--
-- Parameters: user_id and customer_phone, the lead to begin with; before, the tenant before which to stop, or null;
-- size, how many keys to take.
-- Returns: changes, the number taken; user_id and customer_phone of the last one, null if there is none; oldest, when
-- the first of them was queued; has_malformed_keys, whether a key cannot be an id of the platform; has_dead_letters,
-- whether there are dead letters.
--
-- Rows that another session takes at the same time are skipped. A ctid is safe: the rows are locked, and never updated.
WITH upcoming AS MATERIALIZED (
    SELECT l.ctid AS row_id
    FROM projector.late_keys AS l
    WHERE (l.user_id, l.customer_phone) >= (%(user_id)s, %(customer_phone)s)
        AND (%(before)s::text IS NULL OR l.user_id < %(before)s)
    ORDER BY l.user_id, l.customer_phone
    LIMIT %(size)s
    FOR UPDATE SKIP LOCKED
),

taken AS (
    DELETE FROM projector.late_keys
    WHERE ctid = any(ARRAY(SELECT u.row_id FROM upcoming AS u))
    RETURNING user_id, customer_phone, kind, key, message_ids, queued_at
),

staged AS (
    INSERT INTO taken_changes (change_id, shard, kind, keys, message_ids, queued_at)
    SELECT
        row_number() OVER (),
        0,
        taken.kind,
        ARRAY[taken.key],
        taken.message_ids,
        taken.queued_at
    FROM taken
)

SELECT
    count(*) AS changes,
    (array_agg(taken.user_id ORDER BY taken.user_id DESC, taken.customer_phone DESC))[1] AS user_id,
    (array_agg(taken.customer_phone ORDER BY taken.user_id DESC, taken.customer_phone DESC))[1] AS customer_phone,
    min(taken.queued_at) AS oldest,
    coalesce(bool_or(NOT projector.is_key(taken.kind, taken.key)), false) AS has_malformed_keys,
    EXISTS (SELECT FROM projector.dead_letters) AS has_dead_letters
FROM taken;
