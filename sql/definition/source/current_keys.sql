-- One row of projector.source_keys per conversation, contact and template send: the lead that it belongs to.
--
-- The tenant of a template send is its template's. A row with a blank phone belongs to no lead and has no row here.
-- key keeps the collation of the source, so that an index of the source can find it.
DROP FUNCTION IF EXISTS projector.current_keys();
CREATE FUNCTION projector.current_keys()
RETURNS TABLE (
    kind text,
    key text,
    user_id text,
    customer_phone text
)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    'conversation' AS kind,
    c.conversation_id AS key,
    c.user_id,
    c.customer_phone
FROM projector.current_conversations() AS c
UNION ALL
SELECT
    'contact' AS kind,
    c.contact_id AS key,
    c.user_id,
    projector.canonical_phone(c.phone) AS customer_phone
FROM projector.source_contacts() AS c
WHERE projector.canonical_phone(c.phone) IS NOT NULL AND c.user_id IS NOT NULL
UNION ALL
SELECT
    'template_send' AS kind,
    s.send_id AS key,
    t.user_id,
    projector.canonical_phone(s.customer_phone) AS customer_phone
FROM projector.source_template_sends() AS s
INNER JOIN projector.source_templates() AS t ON t.template_id = s.template_id
WHERE projector.canonical_phone(s.customer_phone) IS NOT NULL
$definition$;
REVOKE EXECUTE ON FUNCTION projector.current_keys() FROM public;
