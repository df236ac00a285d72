-- What the read model holds of the stale leads' profiles.
INSERT INTO old_profiles
SELECT p.*
FROM stale_leads AS l
CROSS JOIN LATERAL (
    SELECT lp.*
    FROM read_model.lead_profiles AS lp
    WHERE lp.user_id = l.user_id AND lp.customer_phone = l.customer_phone
    OFFSET 0
) AS p;
