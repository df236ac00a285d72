-- One row per conversation of the source: the lead that it belongs to, and its attributes.
--
-- The tenant is the agent's. A conversation without an agent, or with a blank customer_phone, belongs to no lead and
-- has no row. conversation_id keeps the type and the collation of the source, so that an index of the source can find
-- it.
DROP FUNCTION IF EXISTS projector.current_conversations();
CREATE FUNCTION projector.current_conversations()
RETURNS TABLE (
    user_id text,
    customer_phone text,
    conversation_id {conversation_id},
    agent_id text,
    agent_name text,
    platform text,
    phone_number_id text,
    is_active boolean,
    created_at timestamptz,
    source_last_message_at timestamptz
)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    a.user_id::text AS user_id,
    projector.canonical_phone(c.customer_phone) AS customer_phone,
    c.conversation_id,
    c.agent_id::text AS agent_id,
    projector.cut_text(a.name) AS agent_name,
    projector.cut_text(p.platform) AS platform,
    a.phone_number_id::text AS phone_number_id,
    coalesce(c.is_active, false) AS is_active,
    projector.clamp_time(coalesce(c.created_at, 'epoch')) AS created_at,
    projector.clamp_time(c.last_message_at) AS source_last_message_at
FROM projector.source_conversations() AS c
INNER JOIN projector.source_agents() AS a ON a.agent_id = c.agent_id
LEFT JOIN projector.source_phone_numbers() AS p ON p.id = a.phone_number_id
WHERE projector.canonical_phone(c.customer_phone) IS NOT NULL
$definition$;
REVOKE EXECUTE ON FUNCTION projector.current_conversations() FROM public;
