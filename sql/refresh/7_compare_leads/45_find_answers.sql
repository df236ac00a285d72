-- Find when the agent last answered each stale lead whose customer wrote last, and when the customer wrote next.
--
-- A separate step, because Citus refuses a function that reads a table in a statement with a table of the read model.
INSERT INTO answers (user_id, customer_phone, sent_at, next_at)
SELECT
    a.user_id,
    a.customer_phone,
    a.sent_at,
    projector.customer_message_after(a.user_id, a.customer_phone, a.sent_at) AS next_at
FROM (
    SELECT
        c.user_id,
        c.customer_phone,
        max(c.newest_agent_message_at) AS sent_at
    FROM new_lead_conversations AS c
    INNER JOIN stale_leads AS l ON l.user_id = c.user_id AND l.customer_phone = c.customer_phone
    INNER JOIN last_messages AS m ON m.user_id = c.user_id AND m.customer_phone = c.customer_phone
    WHERE NOT l.compare_fully AND m.sender = 'user'
    GROUP BY c.user_id, c.customer_phone
) AS a;
