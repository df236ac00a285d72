-- The messages.
SELECT
    m.message_id,
    m.conversation_id,
    m.sender,
    m.text,
    m.timestamp,
    m.status,
    m.sequence_no
FROM messages AS m;
