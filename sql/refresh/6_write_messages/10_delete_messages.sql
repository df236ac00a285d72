-- Delete the messages that have no source row any more, or whose source row belongs to no lead.
--
-- when: messages_gone
-- deletes: lead_messages by user_id, message_id
SELECT
    d.user_id,
    d.message_id
FROM message_differences AS d
WHERE d.conversation_id IS NULL;
