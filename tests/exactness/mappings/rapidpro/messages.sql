SELECT
    m.id AS message_id,
    m.contact_id AS conversation_id,
    CASE m.direction WHEN 'I' THEN 'user' ELSE 'agent' END AS sender,
    m.text,
    m.created_on AS timestamp,
    CASE
        WHEN m.status IN ('E', 'F') THEN 'failed'
        WHEN m.direction = 'O' AND m.status IN ('I', 'Q') THEN 'pending'
        ELSE 'sent'
    END AS status
FROM msgs_msg AS m
WHERE m.visibility IN ('V', 'A') AND m.msg_type <> 'V';
