-- One row per conversation of the source: the lead that it belongs to, and its attributes.
--
-- The tenant is the agent's. A conversation without an agent, or with a blank customer_phone, belongs to no lead and
-- has no row. conversation_id keeps the collation of the source, so that an index of the source can find it.
SELECT
    a.user_id::text COLLATE "C" AS user_id,
    projector.canonical_phone(c.customer_phone) COLLATE "C" AS customer_phone,
    c.conversation_id::text AS conversation_id,
    c.agent_id::text COLLATE "C" AS agent_id,
    projector.cut_text(a.name) COLLATE "C" AS agent_name,
    projector.cut_text(p.platform) COLLATE "C" AS platform,
    a.phone_number_id::text COLLATE "C" AS phone_number_id,
    coalesce(c.is_active, false) AS is_active,
    projector.clamp_time(coalesce(c.created_at, 'epoch')::timestamptz) AS created_at,
    projector.clamp_time(c.last_message_at::timestamptz) AS source_last_message_at
FROM {source.conversations} AS c
INNER JOIN {source.agents} AS a ON a.agent_id = c.agent_id
LEFT JOIN {source.phone_numbers} AS p ON p.id = a.phone_number_id
WHERE projector.canonical_phone(c.customer_phone) IS NOT NULL
