-- The keys that a key of a change makes stale: itself, the conversations of an agent, the conversations and the sends
-- of a channel, the sends of a template, or every key below a truncated table, by its name.
--
-- A change of an agent or a channel names the old values too: what is below has another agent by then, or none. So this
-- reads each table by what it refers to, and no agent has to be there. PostgreSQL inlines it.
DROP FUNCTION IF EXISTS projector.keys_of_change(text, text);
CREATE FUNCTION projector.keys_of_change(of_kind text, of_key text)
RETURNS TABLE (kind text, key text, queued_kind text)
LANGUAGE sql
STABLE
AS $$
SELECT
    k.key_kind,
    of_key,
    k.queued_kind
FROM projector.change_kinds AS k
WHERE k.change_kind = of_kind AND k.letter_kind IS NOT NULL
UNION ALL
SELECT
    'conversation',
    c.conversation_id::text,
    'conversations'
FROM projector.source_conversations() AS c
WHERE of_kind = 'agents' AND c.agent_id = projector.agent_id(of_key COLLATE "default")
UNION ALL
SELECT
    'conversation',
    c.conversation_id::text,
    'conversations'
FROM projector.source_agents() AS a
INNER JOIN projector.source_conversations() AS c ON c.agent_id = a.agent_id
WHERE of_kind = 'phone_numbers' AND a.phone_number_id = projector.phone_number_id(of_key COLLATE "default")
UNION ALL
SELECT
    'template_send',
    s.send_id::text,
    'template_sends'
FROM projector.source_templates() AS t
INNER JOIN projector.source_template_sends() AS s ON s.template_id = t.template_id
WHERE of_kind = 'phone_numbers' AND t.phone_number_id = projector.phone_number_id(of_key COLLATE "default")
UNION ALL
SELECT
    'template_send',
    s.send_id::text,
    'template_sends'
FROM projector.source_template_sends() AS s
WHERE of_kind = 'templates' AND s.template_id = projector.template_id(of_key COLLATE "default")
UNION ALL
SELECT
    k.kind,
    k.key,
    t.queued_kind
FROM projector.change_kinds AS t
INNER JOIN projector.source_keys AS k ON k.kind = t.key_kind
WHERE of_kind = 'truncate' AND t.change_kind = of_key
$$;
REVOKE EXECUTE ON FUNCTION projector.keys_of_change(text, text) FROM public;
