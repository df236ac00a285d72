-- Insert the messages that the read model lacks.
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
WHERE d.old_conversation_id IS NULL;
