-- Notes of the agents, and what the system says of a conversation, are no messages.
SELECT
    m.id AS message_id,
    m.conversation_id,
    CASE m.message_type WHEN 0 THEN 'user' ELSE 'agent' END AS sender,
    m.content AS text,
    m.created_at AS timestamp,
    CASE m.status WHEN 3 THEN 'failed' ELSE 'sent' END AS status
FROM messages AS m
WHERE m.message_type IN (0, 1, 3) AND NOT m.private;
