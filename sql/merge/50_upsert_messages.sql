-- Write the messages that the read model lacks, or has otherwise.
INSERT INTO read_model.lead_messages (
    user_id, message_id, customer_phone, conversation_id, sent_at, sequence_no, sender, status, text
)
SELECT
    n.user_id,
    n.message_id,
    n.customer_phone,
    n.conversation_id,
    n.sent_at,
    n.sequence_no,
    n.sender,
    n.status,
    n.text
FROM stage_messages AS n
INNER JOIN stage_message_changes AS d ON d.user_id = n.user_id AND d.message_id = n.message_id
ON CONFLICT (user_id, message_id) DO UPDATE SET
    customer_phone = excluded.customer_phone,
    conversation_id = excluded.conversation_id,
    sent_at = excluded.sent_at,
    sequence_no = excluded.sequence_no,
    sender = excluded.sender,
    status = excluded.status,
    text = excluded.text;
