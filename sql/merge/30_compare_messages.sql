-- The message rows that differ. Found before anything is written: rows that are right cost no WAL.
INSERT INTO stage_message_changes (
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
FULL JOIN stage_messages AS n ON n.user_id = o.user_id AND n.message_id = o.message_id
WHERE (o.customer_phone, o.conversation_id, o.sent_at, o.sequence_no, o.sender, o.status, o.text)
    IS DISTINCT FROM
    (n.customer_phone, n.conversation_id, n.sent_at, n.sequence_no, n.sender, n.status, n.text);
