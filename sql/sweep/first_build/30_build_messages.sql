-- Every message of a lead.
--
-- analyze: read_model.lead_messages
INSERT INTO read_model.lead_messages ({columns.lead_messages})
SELECT {columns.lead_messages of m}
FROM (
    SELECT
        k.user_id,
        k.customer_phone,
        d.*
    FROM projector.current_messages() AS d
    INNER JOIN projector.source_keys AS k ON k.kind = 'conversation' AND k.key = d.conversation_id::text COLLATE "C"
) AS m;
