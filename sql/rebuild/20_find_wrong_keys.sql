-- The keys of a tenant under which the key tables have another lead than the source, or none, or one too many.
--
-- Parameter: user_id. No lock: what changes meanwhile waits in the queue.
INSERT INTO wrong_keys (kind, key)
SELECT
    'resync',
    s.conversation_id
FROM (
    SELECT
        c.conversation_id::text COLLATE "C" AS conversation_id,
        projector.canonical_phone(c.customer_phone) COLLATE "C" AS customer_phone
    FROM agents AS a
    INNER JOIN conversations AS c ON c.agent_id = a.agent_id
    WHERE a.user_id = %(user_id)s
) AS s
LEFT JOIN projector.conversation_keys AS k ON k.conversation_id = s.conversation_id
WHERE (k.user_id, k.customer_phone) IS DISTINCT FROM (%(user_id)s, s.customer_phone) AND s.customer_phone IS NOT NULL
UNION
SELECT
    'resync',
    k.conversation_id
FROM projector.conversation_keys AS k
LEFT JOIN conversations AS c ON c.conversation_id = k.conversation_id COLLATE "default"
LEFT JOIN agents AS a ON a.agent_id = c.agent_id
WHERE k.user_id = %(user_id)s
    AND (a.user_id COLLATE "C", projector.canonical_phone(c.customer_phone) COLLATE "C")
    IS DISTINCT FROM
    (k.user_id, k.customer_phone)
UNION
SELECT
    'contacts',
    s.contact_id::text COLLATE "C"
FROM contacts AS s
LEFT JOIN projector.contact_keys AS k ON k.contact_id = s.contact_id COLLATE "C"
WHERE s.user_id = %(user_id)s
    AND projector.canonical_phone(s.phone) IS NOT NULL
    AND (k.user_id, k.customer_phone)
    IS DISTINCT FROM
    (s.user_id COLLATE "C", projector.canonical_phone(s.phone) COLLATE "C")
UNION
SELECT
    'contacts',
    k.contact_id
FROM projector.contact_keys AS k
LEFT JOIN contacts AS s ON s.contact_id = k.contact_id COLLATE "default"
WHERE k.user_id = %(user_id)s
    AND (s.user_id COLLATE "C", projector.canonical_phone(s.phone) COLLATE "C")
    IS DISTINCT FROM
    (k.user_id, k.customer_phone)
UNION
SELECT
    'template_sends',
    s.send_id::text COLLATE "C"
FROM templates AS t
INNER JOIN template_sends AS s ON s.template_id = t.template_id
LEFT JOIN projector.send_keys AS k ON k.send_id = s.send_id COLLATE "C"
WHERE t.user_id = %(user_id)s
    AND projector.canonical_phone(s.customer_phone) IS NOT NULL
    AND (k.user_id, k.customer_phone)
    IS DISTINCT FROM
    (t.user_id COLLATE "C", projector.canonical_phone(s.customer_phone) COLLATE "C")
UNION
SELECT
    'template_sends',
    k.send_id
FROM projector.send_keys AS k
LEFT JOIN template_sends AS s ON s.send_id = k.send_id COLLATE "default"
LEFT JOIN templates AS t ON t.template_id = s.template_id
WHERE k.user_id = %(user_id)s
    AND (t.user_id COLLATE "C", projector.canonical_phone(s.customer_phone) COLLATE "C")
    IS DISTINCT FROM
    (k.user_id, k.customer_phone);
