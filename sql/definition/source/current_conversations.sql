-- One row for each conversation of the source: its lead and its attributes.
--
-- A conversation without a tenant, or with a blank customer_phone, belongs to no lead and has no row.
-- conversation_id keeps the type and the collation of the source, so that an index of the source can find it.
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
    source_last_message_at timestamptz,
    reply_window interval,
    attributes jsonb,
    attributes_left_out integer
)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    c.user_id,
    projector.canonical_phone(c.customer_phone) AS customer_phone,
    c.conversation_id,
    c.agent_id,
    projector.cut_text(c.agent_name) AS agent_name,
    projector.cut_text(c.platform) AS platform,
    c.phone_number_id,
    coalesce(c.is_active, false) AS is_active,
    projector.clamp_time(coalesce(c.created_at, 'epoch')) AS created_at,
    projector.clamp_time(c.last_message_at) AS source_last_message_at,
    projector.reply_window(c.reply_window) AS reply_window,
    merged.attributes,
    merged.left_out AS attributes_left_out
FROM projector.source_conversations() AS c
CROSS JOIN LATERAL projector.merge_attributes(
    ARRAY[c.declared_attributes, c.attributes], projector.attribute_types('conversation')
) AS merged
WHERE projector.canonical_phone(c.customer_phone) IS NOT NULL AND c.user_id IS NOT NULL
$definition$;
