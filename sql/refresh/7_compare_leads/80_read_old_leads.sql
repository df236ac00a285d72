-- Read what the read model holds of the stale leads, before anything of them is written.
INSERT INTO old_leads ({columns.leads})
SELECT {columns.leads of o}
FROM stale_leads AS l
CROSS JOIN LATERAL (
    SELECT stored.*
    FROM read_model.leads AS stored
    WHERE stored.user_id = l.user_id AND stored.customer_phone = l.customer_phone
    {tenants} {fence}
) AS o;
