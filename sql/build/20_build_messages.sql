-- Every message of a lead.
INSERT INTO read_model_next.lead_messages (
    user_id, message_id, customer_phone, conversation_id, sent_at, sequence_no, sender, status, text
)
SELECT
    k.user_id,
    m.message_id,
    k.customer_phone,
    k.conversation_id,
    projector.cut_time(coalesce(m.timestamp, 'epoch')::timestamptz),
    m.sequence_no,
    m.sender,
    CASE WHEN m.status IN ('pending', 'failed') THEN m.status ELSE 'sent' END,
    m.text
FROM messages AS m
INNER JOIN read_model_next.conversation_keys AS k ON k.conversation_id = m.conversation_id COLLATE "C";
