-- Write the conversations that differ, and no other.
--
-- when: conversations_differ
INSERT INTO read_model.lead_conversations ({columns.lead_conversations})
SELECT {columns.lead_conversations of n}
FROM new_conversations AS n
LEFT JOIN old_conversations AS o
    ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone AND o.conversation_id = n.conversation_id
WHERE (o.*) IS DISTINCT FROM (n.*)
ON CONFLICT ({key.lead_conversations}) DO UPDATE SET {updates.lead_conversations};
