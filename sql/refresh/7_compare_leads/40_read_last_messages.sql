-- Read the last message of each stale lead.
--
-- The conversations have the newest time, so that few messages of a lead are sorted. The messages at that time come
-- from the read model, which the previous steps have updated; for a lead that is compared fully, from the messages that
-- were read.
WITH newest AS MATERIALIZED (
    SELECT
        c.user_id,
        c.customer_phone,
        l.compare_fully,
        max(c.newest_message_at) AS sent_at
    FROM new_lead_conversations AS c
    INNER JOIN stale_leads AS l ON l.user_id = c.user_id AND l.customer_phone = c.customer_phone
    GROUP BY c.user_id, c.customer_phone, l.compare_fully
),

newest_messages AS NOT MATERIALIZED (
    SELECT
        m.user_id,
        m.customer_phone,
        m.sent_at,
        m.conversation_id,
        m.sequence_no,
        m.message_id,
        m.sender,
        m.text
    FROM (SELECT n.* FROM newest AS n WHERE NOT n.compare_fully) AS newest
    CROSS JOIN LATERAL (
        SELECT stored.*
        FROM read_model.lead_messages AS stored
        WHERE stored.user_id = newest.user_id
            AND stored.customer_phone = newest.customer_phone
            AND stored.sent_at = newest.sent_at
        {tenants} {stored_fence}
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
    INNER JOIN newest AS l
        ON l.compare_fully
        AND l.user_id = n.user_id
        AND l.customer_phone = n.customer_phone
        AND l.sent_at = n.sent_at
)

INSERT INTO last_messages (user_id, customer_phone, sender, text)
SELECT
    d.user_id,
    d.customer_phone,
    d.sender,
    d.text
FROM ({definition.last_messages}) AS d;
