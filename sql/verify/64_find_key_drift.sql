-- The wrong keys that belong to no lead which waits, each with the lead that the source puts it under, or that the key
-- table does.
SELECT
    w.kind,
    w.key,
    coalesce(s.customer_phone, k.customer_phone) AS customer_phone
FROM wrong_keys AS w
LEFT JOIN LATERAL (
    SELECT
        a.user_id::text COLLATE "C" AS user_id,
        projector.canonical_phone(c.customer_phone) COLLATE "C" AS customer_phone
    FROM conversations AS c
    INNER JOIN agents AS a ON a.agent_id = c.agent_id
    WHERE w.kind = 'resync' AND c.conversation_id = w.key
    UNION ALL
    SELECT
        c.user_id::text COLLATE "C",
        projector.canonical_phone(c.phone) COLLATE "C"
    FROM contacts AS c
    WHERE w.kind = 'contacts' AND c.contact_id = w.key
    UNION ALL
    SELECT
        t.user_id::text COLLATE "C",
        projector.canonical_phone(ts.customer_phone) COLLATE "C"
    FROM template_sends AS ts
    INNER JOIN templates AS t ON t.template_id = ts.template_id
    WHERE w.kind = 'template_sends' AND ts.send_id = w.key
) AS s ON true
LEFT JOIN LATERAL (
    SELECT
        ck.user_id,
        ck.customer_phone
    FROM projector.conversation_keys AS ck
    WHERE w.kind = 'resync' AND ck.conversation_id = w.key COLLATE "C"
    UNION ALL
    SELECT
        ck.user_id,
        ck.customer_phone
    FROM projector.contact_keys AS ck
    WHERE w.kind = 'contacts' AND ck.contact_id = w.key COLLATE "C"
    UNION ALL
    SELECT
        sk.user_id,
        sk.customer_phone
    FROM projector.send_keys AS sk
    WHERE w.kind = 'template_sends' AND sk.send_id = w.key COLLATE "C"
) AS k ON true
LEFT JOIN waiting_leads AS ws ON ws.user_id = s.user_id AND ws.customer_phone = s.customer_phone
LEFT JOIN waiting_leads AS wk ON wk.user_id = k.user_id AND wk.customer_phone = k.customer_phone
WHERE ws.user_id IS NULL AND wk.user_id IS NULL;
