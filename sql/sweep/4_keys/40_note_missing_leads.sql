-- Note the leads of late keys that have no key, conversation or message yet: all their keys are late, so they are
-- brought in completely, and need no comparison afterwards.
INSERT INTO missing_leads (user_id, customer_phone)
SELECT DISTINCT
    l.user_id,
    l.customer_phone
FROM projector.late_keys AS l
LEFT JOIN LATERAL (
    SELECT 1 AS found
    FROM projector.source_keys AS k
    WHERE k.user_id = l.user_id AND k.customer_phone = l.customer_phone
    UNION ALL
    SELECT 1
    FROM read_model.lead_conversations AS c
    WHERE c.user_id = l.user_id AND c.customer_phone = l.customer_phone
    UNION ALL
    SELECT 1
    FROM read_model.lead_messages AS m
    WHERE m.user_id = l.user_id AND m.customer_phone = l.customer_phone
    LIMIT 1
) AS stored ON true
WHERE stored.found IS NULL;
