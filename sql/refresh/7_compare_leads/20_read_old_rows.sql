-- Read the stored rows of the stale leads, before any of them is written.
--
-- for: lead_conversations lead_profiles leads
-- unless: fills
INSERT INTO old_{table} ({columns.table})
SELECT {columns.table of stored}
FROM stale_leads AS l
CROSS JOIN LATERAL (
    SELECT stored.*
    FROM read_model.{table} AS stored
    WHERE stored.user_id = l.user_id AND stored.customer_phone = l.customer_phone
    {tenants} {stored_fence}
) AS stored;
