-- Read what the read model holds of the conversations of the stale leads.
INSERT INTO old_conversations ({columns.lead_conversations})
SELECT {columns.lead_conversations of o}
FROM stale_leads AS l
CROSS JOIN LATERAL (
    SELECT stored.*
    FROM read_model.lead_conversations AS stored
    WHERE stored.user_id = l.user_id AND stored.customer_phone = l.customer_phone
    {tenants} {fence}
) AS o;
