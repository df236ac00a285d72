-- Write the conversations that differ, and no other.
--
-- when: lead_conversations_differ
INSERT INTO read_model.lead_conversations ({columns.lead_conversations})
SELECT {columns.lead_conversations of n}
FROM new_conversations AS n
INNER JOIN lead_differences AS d
    ON d.table_name = 'lead_conversations' AND ({key.lead_conversations of d}) = ({key.lead_conversations of n})
ON CONFLICT ({key.lead_conversations}) DO UPDATE SET {updates.lead_conversations};
