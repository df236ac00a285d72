-- The rows of read_model.lead_profiles that differ from the definition: both sides as JSON,
-- null where a side has none.
SELECT
    coalesce(n.user_id, o.user_id) AS user_id,
    coalesce(n.customer_phone, o.customer_phone) AS customer_phone,
    NULL AS row_key,
    to_jsonb(n.*) AS expected,
    to_jsonb(o.*) AS found
FROM (
    SELECT p.*
    FROM stage_profiles AS p
    INNER JOIN stage_leads AS l ON l.user_id = p.user_id AND l.customer_phone = p.customer_phone
) AS n
FULL JOIN old_profiles AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
WHERE (o.*) IS DISTINCT FROM (n.*);
