-- Note the leads of late keys that have no key, conversation or message yet: all their keys are late, so they are
-- brought in whole, and need not be compared afterwards.
INSERT INTO missing_leads (user_id, customer_phone)
SELECT DISTINCT
    l.user_id,
    l.customer_phone
FROM projector.late_keys AS l
WHERE NOT EXISTS (
    SELECT
    FROM (
        SELECT
            k.user_id,
            k.customer_phone
        FROM projector.source_keys AS k
        UNION ALL
        SELECT
            c.user_id,
            c.customer_phone
        FROM read_model.lead_conversations AS c
        UNION ALL
        SELECT
            m.user_id,
            m.customer_phone
        FROM read_model.lead_messages AS m
    ) AS stored
    WHERE stored.user_id = l.user_id AND stored.customer_phone = l.customer_phone
);
