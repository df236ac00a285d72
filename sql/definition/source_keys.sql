-- One row of projector.source_keys per conversation, contact and template send: the lead that it belongs to.
--
-- The tenant of a template send is its template's. A row with a blank phone belongs to no lead and has no row here.
-- key keeps the collation of the source, so that an index of the source can find it.
SELECT
    'conversation' AS kind,
    c.conversation_id AS key,
    c.user_id,
    c.customer_phone
FROM ({definition.conversations}) AS c
UNION ALL
SELECT
    'contact' AS kind,
    c.contact_id::text AS key,
    c.user_id::text COLLATE "C" AS user_id,
    projector.canonical_phone(c.phone) COLLATE "C" AS customer_phone
FROM {source.contacts} AS c
WHERE projector.canonical_phone(c.phone) IS NOT NULL AND c.user_id IS NOT NULL
UNION ALL
SELECT
    'template_send' AS kind,
    s.send_id::text AS key,
    t.user_id::text COLLATE "C" AS user_id,
    projector.canonical_phone(s.customer_phone) COLLATE "C" AS customer_phone
FROM {source.template_sends} AS s
INNER JOIN {source.templates} AS t ON t.template_id = s.template_id
WHERE projector.canonical_phone(s.customer_phone) IS NOT NULL
