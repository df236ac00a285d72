-- The leads that may rightly differ from the definition: something of theirs waits in the queue, or is a dead letter.
--
-- In one snapshot with the comparison: a change is in the queue from the moment its writer commits until the moment its
-- leads are written. A key's lead is taken from the source as well as from the key tables. Of a truncated table every
-- lead waits: `everything` is then true.
WITH waiting AS MATERIALIZED (
    SELECT
        c.kind,
        k.key COLLATE "C" AS key
    FROM projector.changes AS c
    CROSS JOIN LATERAL unnest(c.keys) AS k (key)
    UNION
    SELECT
        d.kind,
        d.key
    FROM projector.dead_letters AS d
),

stale_keys AS MATERIALIZED (
    SELECT
        'conversation' AS kind,
        w.key
    FROM waiting AS w
    WHERE w.kind IN ('messages', 'conversations', 'extractions', 'resync')
    UNION
    SELECT
        'conversation',
        c.conversation_id::text COLLATE "C"
    FROM waiting AS w
    INNER JOIN conversations AS c ON c.agent_id = w.key COLLATE "default"
    WHERE w.kind = 'agents'
    UNION
    SELECT
        'conversation',
        c.conversation_id::text COLLATE "C"
    FROM waiting AS w
    INNER JOIN agents AS a ON a.phone_number_id = w.key COLLATE "default"
    INNER JOIN conversations AS c ON c.agent_id = a.agent_id
    WHERE w.kind = 'phone_numbers'
    UNION
    SELECT
        'contact',
        w.key
    FROM waiting AS w
    WHERE w.kind = 'contacts'
    UNION
    SELECT
        'send',
        w.key
    FROM waiting AS w
    WHERE w.kind = 'template_sends'
    UNION
    SELECT
        'send',
        s.send_id::text COLLATE "C"
    FROM waiting AS w
    INNER JOIN template_sends AS s ON s.template_id = w.key COLLATE "default"
    WHERE w.kind = 'templates'
    UNION
    SELECT
        'send',
        s.send_id::text COLLATE "C"
    FROM waiting AS w
    INNER JOIN templates AS t ON t.phone_number_id = w.key COLLATE "default"
    INNER JOIN template_sends AS s ON s.template_id = t.template_id
    WHERE w.kind = 'phone_numbers'
),

stored AS (
    INSERT INTO waiting_leads (user_id, customer_phone)
    SELECT
        k.user_id,
        k.customer_phone
    FROM stale_keys AS s
    INNER JOIN projector.conversation_keys AS k ON k.conversation_id = s.key
    WHERE s.kind = 'conversation'
    UNION
    SELECT
        a.user_id::text COLLATE "C",
        projector.canonical_phone(c.customer_phone) COLLATE "C"
    FROM stale_keys AS s
    INNER JOIN conversations AS c ON c.conversation_id = s.key COLLATE "default"
    INNER JOIN agents AS a ON a.agent_id = c.agent_id
    WHERE s.kind = 'conversation'
    UNION
    SELECT
        k.user_id,
        k.customer_phone
    FROM stale_keys AS s
    INNER JOIN projector.contact_keys AS k ON k.contact_id = s.key
    WHERE s.kind = 'contact'
    UNION
    SELECT
        c.user_id::text COLLATE "C",
        projector.canonical_phone(c.phone) COLLATE "C"
    FROM stale_keys AS s
    INNER JOIN contacts AS c ON c.contact_id = s.key COLLATE "default"
    WHERE s.kind = 'contact'
    UNION
    SELECT
        k.user_id,
        k.customer_phone
    FROM stale_keys AS s
    INNER JOIN projector.send_keys AS k ON k.send_id = s.key
    WHERE s.kind = 'send'
    UNION
    SELECT
        t.user_id::text COLLATE "C",
        projector.canonical_phone(ts.customer_phone) COLLATE "C"
    FROM stale_keys AS s
    INNER JOIN template_sends AS ts ON ts.send_id = s.key COLLATE "default"
    INNER JOIN templates AS t ON t.template_id = ts.template_id
    WHERE s.kind = 'send'
)

SELECT EXISTS (SELECT 1 FROM waiting AS w WHERE w.kind = 'truncate') AS everything;
