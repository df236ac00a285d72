-- Read what the read model holds of the stale leads, before anything of them is written.
INSERT INTO old_leads ({columns.leads})
SELECT {columns.leads of o}
FROM (
    SELECT
        stale_leads.user_id,
        stale_leads.customer_phone
    FROM stale_leads
) AS l
{look_up.leads as o by user_id, customer_phone of l};
