-- Rewrite the messages that differ.
UPDATE read_model.lead_messages AS m
SET
    customer_phone = n.customer_phone,
    conversation_id = n.conversation_id,
    sent_at = n.sent_at,
    sequence_no = n.sequence_no,
    sender = n.sender,
    status = n.status,
    text = n.text
FROM stage_messages AS n
INNER JOIN stage_message_changes AS d ON d.user_id = n.user_id AND d.message_id = n.message_id
WHERE d.old_conversation_id IS NOT NULL AND m.user_id = n.user_id AND m.message_id = n.message_id;
