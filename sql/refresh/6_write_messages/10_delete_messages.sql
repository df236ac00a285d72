-- Delete the messages that no longer have a source row, or whose source row belongs to no lead.
--
-- when: messages_gone
DELETE FROM read_model.lead_messages AS stored
USING message_differences AS d
WHERE d.conversation_id IS NULL
    AND stored.user_id = d.user_id
    AND stored.message_id = d.message_id
    {tenants};
