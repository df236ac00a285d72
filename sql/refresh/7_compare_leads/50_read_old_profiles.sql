-- Read what the read model holds of the profiles of the stale leads.
INSERT INTO old_profiles ({columns.lead_profiles})
SELECT {columns.lead_profiles of o}
FROM stale_leads AS l
CROSS JOIN LATERAL (
    SELECT stored.*
    FROM read_model.lead_profiles AS stored
    WHERE stored.user_id = l.user_id AND stored.customer_phone = l.customer_phone
    {tenants} {fence}
) AS o;
