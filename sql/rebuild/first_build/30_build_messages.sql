-- Every message of a lead.
--
-- analyze: read_model.lead_messages
-- with brought_messages =
--     (SELECT k.user_id, k.customer_phone, d.*
--     FROM ({definition.lead_messages}) AS d
--     INNER JOIN projector.source_keys AS k ON k.kind = 'conversation' AND k.key = d.conversation_id COLLATE "C")
INSERT INTO read_model.lead_messages ({columns.lead_messages})
SELECT {columns.lead_messages of m}
FROM {brought_messages} AS m;
