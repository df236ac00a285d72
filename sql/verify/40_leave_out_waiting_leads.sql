-- Leave out of the staged leads those that wait.
--
-- Returns: leads, how many are left.
WITH left_out AS (
    DELETE FROM lead_invalidations AS i
    USING waiting_leads AS w
    WHERE w.user_id = i.user_id AND w.customer_phone = i.customer_phone
    RETURNING 1
),

keys_left_out AS (
    DELETE FROM stale_keys AS s
    USING waiting_leads AS w
    WHERE w.user_id = s.old_user_id AND w.customer_phone = s.old_customer_phone
)

SELECT (SELECT count(*) FROM lead_invalidations) - (SELECT count(*) FROM left_out) AS leads;
