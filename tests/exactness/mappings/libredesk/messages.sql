SELECT
    m.id AS message_id,
    m.conversation_id,
    CASE m.sender_type WHEN 'contact' THEN 'user' ELSE 'agent' END AS sender,
    coalesce(m.text_content, m.content) AS text,
    m.created_at AS timestamp,
    m.status
FROM conversation_messages AS m
WHERE m.type <> 'activity' AND NOT m.private;
