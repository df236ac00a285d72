-- The last message of each lead in the order of messages: sent_at, conversation_id, sequence_no (null last),
-- message_id.
--
-- `explain` reads it without DISTINCT ON: all messages in this order, the last one first.
--
-- Reads newest_messages, rows as in read_model.lead_messages. The messages at the newest time of a lead are enough.
SELECT DISTINCT ON (m.user_id, m.customer_phone)
    m.user_id,
    m.customer_phone,
    m.message_id,
    m.conversation_id,
    m.sent_at,
    m.sequence_no,
    m.sender,
    m.text
FROM newest_messages AS m
ORDER BY
    m.user_id ASC,
    m.customer_phone ASC,
    m.sent_at DESC,
    m.conversation_id DESC,
    m.sequence_no DESC NULLS FIRST,
    m.message_id DESC
