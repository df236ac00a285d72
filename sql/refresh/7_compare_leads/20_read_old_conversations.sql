-- Read what the read model holds of the conversations of the stale leads.
--
-- on: read_model
INSERT INTO old_conversations ({columns.lead_conversations})
SELECT {columns.lead_conversations of c}
FROM stale_leads AS l
CROSS JOIN LATERAL (
    SELECT lc.*
    FROM read_model.lead_conversations AS lc
    WHERE lc.user_id = l.user_id AND lc.customer_phone = l.customer_phone
    OFFSET 0
) AS c;
