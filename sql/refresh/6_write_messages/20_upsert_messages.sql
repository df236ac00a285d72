-- Write the messages that the read model lacks or that differ there.
--
-- when: messages_differ
INSERT INTO read_model.lead_messages ({columns.lead_messages})
SELECT {columns.lead_messages of n}
FROM new_messages AS n
INNER JOIN message_differences AS d ON d.user_id = n.user_id AND d.message_id = n.message_id
ON CONFLICT ({key.lead_messages}) DO UPDATE SET {updates.lead_messages};
