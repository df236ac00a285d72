-- Read what the read model holds of the profiles of the stale leads.
INSERT INTO old_profiles ({columns.lead_profiles})
SELECT {columns.lead_profiles of o}
FROM (
    SELECT
        stale_leads.user_id,
        stale_leads.customer_phone
    FROM stale_leads
) AS l
{look_up.lead_profiles as o by user_id, customer_phone of l};
