-- Since when each lead waits for an answer, if its last message is the customer's: the first message of the customer
-- after the newest one of the agent, in the order of messages, over all conversations. Messages of other senders do not
-- count.
--
-- Reads waiting_messages, rows as in read_model.lead_messages. The messages at the time of the agent's newest message,
-- and at the time of the customer's first message after it, are enough.
SELECT
    m.user_id,
    m.customer_phone,
    min(m.sent_at) AS waiting_since
FROM (
    SELECT
        w.user_id,
        w.customer_phone,
        w.sent_at,
        w.sender,
        count(*) FILTER (WHERE w.sender = 'agent') OVER (
            PARTITION BY w.user_id, w.customer_phone
            ORDER BY w.sent_at DESC, w.conversation_id DESC, w.sequence_no DESC NULLS FIRST, w.message_id DESC
        ) AS answers
    FROM waiting_messages AS w
) AS m
WHERE m.sender = 'user' AND m.answers = 0
GROUP BY m.user_id, m.customer_phone
