-- Write the messages that differ in the read model.
--
-- when: messages_change
INSERT INTO read_model.lead_messages ({columns.lead_messages})
SELECT {columns.lead_messages of n}
FROM new_messages AS n
INNER JOIN message_differences AS d ON d.user_id = n.user_id AND d.message_id = n.message_id
WHERE d.old_conversation_id IS NOT NULL
ON CONFLICT ({key.lead_messages}) DO UPDATE SET {updates.lead_messages};
