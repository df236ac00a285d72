-- The rows of read_model.attribute_counts: how many leads have each attribute.
--
-- Reads profile_moves and conversation_moves, rows as in read_model.lead_profiles and read_model.lead_conversations
-- with a weight: 1 for a new row, -1 for an old one. They have all conversations of each lead.
SELECT
    had.user_id,
    had.level,
    had.name,
    had.value_type,
    sum(had.weight)::integer AS leads
FROM (
    SELECT
        p.user_id,
        'lead' AS level,
        entry.key COLLATE "C" AS name,
        jsonb_typeof(entry.value) COLLATE "C" AS value_type,
        p.weight
    FROM profile_moves AS p
    CROSS JOIN LATERAL jsonb_each(p.attributes) AS entry
    UNION ALL
    SELECT
        c.user_id,
        'conversation' AS level,
        entry.key COLLATE "C" AS name,
        min(jsonb_typeof(entry.value) COLLATE "C") AS value_type,
        c.weight
    FROM conversation_moves AS c
    CROSS JOIN LATERAL jsonb_each(c.attributes) AS entry
    GROUP BY c.user_id, c.customer_phone, c.weight, entry.key
) AS had
GROUP BY had.user_id, had.level, had.name, had.value_type
