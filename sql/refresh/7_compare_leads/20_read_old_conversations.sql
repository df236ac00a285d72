-- Read what the read model holds of the conversations of the stale leads.
INSERT INTO old_conversations ({columns.lead_conversations})
SELECT {columns.lead_conversations of o}
FROM (
    SELECT
        stale_leads.user_id,
        stale_leads.customer_phone
    FROM stale_leads
) AS l
{look_up.lead_conversations as o by user_id, customer_phone of l};
