-- Every conversation of a lead, with the totals of its messages.
--
-- analyze: read_model.lead_conversations
WITH counted_messages AS NOT MATERIALIZED (
    SELECT m.*
    FROM read_model.lead_messages AS m
)

INSERT INTO read_model.lead_conversations ({columns.lead_conversations})
SELECT {columns.lead_conversations of c}
FROM (
    SELECT
        d.*,
        coalesce(t.message_count, 0) AS message_count,
        t.first_message_at,
        t.newest_message_at,
        t.newest_customer_message_at,
        t.newest_agent_message_at
    FROM projector.current_conversations() AS d
    LEFT JOIN ({definition.message_totals}) AS t ON t.conversation_id = d.conversation_id::text COLLATE "C"
) AS c;
