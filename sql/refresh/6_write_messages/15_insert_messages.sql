-- Write the messages that the read model lacks, lead by lead, so that those of a lead lie together.
--
-- They were looked up by id under the tenant's lock, which every session that writes messages of the tenant takes.
--
-- when: messages_come
INSERT INTO read_model.lead_messages ({columns.lead_messages})
SELECT {columns.lead_messages of n}
FROM new_messages AS n
INNER JOIN message_differences AS d ON d.user_id = n.user_id AND d.message_id = n.message_id
WHERE d.old_conversation_id IS NULL
ORDER BY n.user_id, n.customer_phone, n.sent_at;
