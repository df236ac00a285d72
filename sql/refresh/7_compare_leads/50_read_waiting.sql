-- Read since when each stale lead waits for an answer, if its customer wrote last.
--
-- The messages that decide it come from the read model; for a lead that is compared fully, from the messages that were
-- read.
WITH waiting_messages AS NOT MATERIALIZED (
    SELECT
        m.user_id,
        m.customer_phone,
        m.sent_at,
        m.conversation_id,
        m.sequence_no,
        m.message_id,
        m.sender
    FROM answers AS a
    CROSS JOIN LATERAL (
        SELECT stored.*
        FROM read_model.lead_messages AS stored
        WHERE stored.user_id = a.user_id
            AND stored.customer_phone = a.customer_phone
            AND stored.sent_at = any(ARRAY[a.sent_at, a.next_at])
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
        n.sender
    FROM new_messages AS n
    INNER JOIN stale_leads AS l ON l.user_id = n.user_id AND l.customer_phone = n.customer_phone
    INNER JOIN last_messages AS r ON r.user_id = n.user_id AND r.customer_phone = n.customer_phone
    WHERE l.compare_fully AND r.sender = 'user'
)

INSERT INTO waiting (user_id, customer_phone, waiting_since)
SELECT
    d.user_id,
    d.customer_phone,
    d.waiting_since
FROM ({definition.waiting}) AS d;
