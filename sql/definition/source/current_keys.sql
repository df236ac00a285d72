-- One row of projector.source_keys per conversation, contact and template send: the lead that it belongs to.
--
-- A row without a tenant, or with a blank phone, belongs to no lead and has no row here. contact_id and send_id keep
-- the type and the collation of the source, so that an index of the source can find them.
-- projector.current_keys() has the keys of all rows, projector.current_key() that of one.
DROP FUNCTION IF EXISTS projector.current_contacts();
CREATE FUNCTION projector.current_contacts()
RETURNS TABLE (
    contact_id {contact_id},
    user_id text,
    customer_phone text
)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    c.contact_id,
    c.user_id,
    projector.canonical_phone(c.phone) AS customer_phone
FROM projector.source_contacts() AS c
WHERE projector.canonical_phone(c.phone) IS NOT NULL AND c.user_id IS NOT NULL
$definition$;

DROP FUNCTION IF EXISTS projector.current_template_sends();
CREATE FUNCTION projector.current_template_sends()
RETURNS TABLE (
    send_id {send_id},
    user_id text,
    customer_phone text
)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    s.send_id,
    s.user_id,
    projector.canonical_phone(s.customer_phone) AS customer_phone
FROM projector.source_template_sends() AS s
WHERE projector.canonical_phone(s.customer_phone) IS NOT NULL AND s.user_id IS NOT NULL
$definition$;

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
    c.conversation_id::text AS key,
    c.user_id,
    c.customer_phone
FROM projector.current_conversations() AS c
UNION ALL
SELECT
    'contact' AS kind,
    c.contact_id::text AS key,
    c.user_id,
    c.customer_phone
FROM projector.current_contacts() AS c
UNION ALL
SELECT
    'template_send' AS kind,
    s.send_id::text AS key,
    s.user_id,
    s.customer_phone
FROM projector.current_template_sends() AS s
$definition$;

DROP FUNCTION IF EXISTS projector.current_key(text, text);
CREATE FUNCTION projector.current_key(of_kind text, of_key text)
RETURNS TABLE (
    user_id text,
    customer_phone text
)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    c.user_id,
    c.customer_phone
FROM projector.current_conversations() AS c
WHERE of_kind = 'conversation' AND c.conversation_id = projector.conversation_id(of_key COLLATE "default")
UNION ALL
SELECT
    c.user_id,
    c.customer_phone
FROM projector.current_contacts() AS c
WHERE of_kind = 'contact' AND c.contact_id = projector.contact_id(of_key COLLATE "default")
UNION ALL
SELECT
    s.user_id,
    s.customer_phone
FROM projector.current_template_sends() AS s
WHERE of_kind = 'template_send' AND s.send_id = projector.send_id(of_key COLLATE "default")
$definition$;
