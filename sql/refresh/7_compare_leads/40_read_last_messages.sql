-- Read the last message of each stale lead.
--
-- The conversations have the newest time. The messages at that time come from the read model, which the previous steps
-- have updated; for a lead that is compared fully, from the messages that were read.
WITH newest_messages AS NOT MATERIALIZED (
    SELECT
        m.user_id,
        m.customer_phone,
        m.sent_at,
        m.conversation_id,
        m.sequence_no,
        m.message_id,
        m.sender,
        m.text
    FROM (
        SELECT
            c.user_id,
            c.customer_phone,
            max(c.newest_message_at) AS sent_at
        FROM new_lead_conversations AS c
        INNER JOIN stale_leads AS l ON l.user_id = c.user_id AND l.customer_phone = c.customer_phone
        WHERE NOT l.compare_fully
        GROUP BY c.user_id, c.customer_phone
    ) AS newest
    CROSS JOIN LATERAL (
        SELECT stored.*
        FROM read_model.lead_messages AS stored
        WHERE stored.user_id = newest.user_id
            AND stored.customer_phone = newest.customer_phone
            AND stored.sent_at = newest.sent_at
        {tenants} {fence}
    ) AS m
    UNION ALL
    SELECT
        n.user_id,
        n.customer_phone,
        n.sent_at,
        n.conversation_id,
        n.sequence_no,
        n.message_id,
        n.sender,
        n.text
    FROM new_messages AS n
    INNER JOIN stale_leads AS l ON l.user_id = n.user_id AND l.customer_phone = n.customer_phone
    WHERE l.compare_fully
)

INSERT INTO last_messages (user_id, customer_phone, sender, text)
SELECT
    d.user_id,
    d.customer_phone,
    d.sender,
    d.text
FROM ({definition.last_messages}) AS d;
