-- Compare the messages, and stage those that differ. They are found before anything is written, so that a right row
-- costs no WAL.
INSERT INTO message_differences (
    user_id, message_id, old_customer_phone, old_conversation_id, old_sent_at, customer_phone, conversation_id, sent_at
)
SELECT
    coalesce(n.user_id, o.user_id),
    coalesce(n.message_id, o.message_id),
    o.customer_phone,
    o.conversation_id,
    o.sent_at,
    n.customer_phone,
    n.conversation_id,
    n.sent_at
FROM old_messages AS o
FULL JOIN new_messages AS n ON n.user_id = o.user_id AND n.message_id = o.message_id
WHERE ({values.lead_messages of o}) IS DISTINCT FROM ({values.lead_messages of n});
