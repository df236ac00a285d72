-- Leave out of the staged leads those that wait.
--
-- Returns: user_id, customer_phone of each that was left out.
WITH left_out AS (
    DELETE FROM lead_invalidations AS i
    USING waiting_leads AS w
    WHERE w.user_id = i.user_id AND w.customer_phone = i.customer_phone
    RETURNING
        i.user_id,
        i.customer_phone
),

keys_left_out AS (
    DELETE FROM stale_keys AS s
    USING waiting_leads AS w
    WHERE w.user_id = s.old_user_id AND w.customer_phone = s.old_customer_phone
)

SELECT
    l.user_id,
    l.customer_phone
FROM left_out AS l;
