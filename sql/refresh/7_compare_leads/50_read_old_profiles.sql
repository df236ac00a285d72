-- Read what the read model holds of the profiles of the stale leads.
--
-- on: read_model
INSERT INTO old_profiles ({columns.lead_profiles})
SELECT {columns.lead_profiles of p}
FROM stale_leads AS l
CROSS JOIN LATERAL (
    SELECT lp.*
    FROM read_model.lead_profiles AS lp
    WHERE lp.user_id = l.user_id AND lp.customer_phone = l.customer_phone
    OFFSET 0
) AS p;
