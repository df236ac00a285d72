-- Collect the messages that the taken changes name, each under every tenant that its conversations belonged or belong
-- to.
INSERT INTO stale_messages (user_id, message_id)
SELECT DISTINCT
    owner.user_id,
    changed.message_id
FROM (
    SELECT
        t.change_id,
        m.message_id
    FROM taken_changes AS t
    CROSS JOIN LATERAL unnest(t.message_ids) AS m (message_id)
    WHERE t.kind = 'messages'
) AS changed
INNER JOIN (
    SELECT DISTINCT
        keyed.change_id,
        known.user_id
    FROM (
        SELECT
            t.change_id,
            k.key COLLATE "C" AS conversation_id
        FROM taken_changes AS t
        CROSS JOIN LATERAL unnest(t.keys) AS k (key)
        WHERE t.kind = 'messages'
    ) AS keyed
    INNER JOIN (
        SELECT
            s.key AS conversation_id,
            s.old_user_id AS user_id
        FROM stale_keys AS s
        WHERE s.kind = 'conversation' AND s.old_user_id IS NOT NULL
        UNION
        SELECT
            c.conversation_id,
            c.user_id
        FROM source_conversations AS c
    ) AS known ON known.conversation_id = keyed.conversation_id
    -- A change of many messages names many conversations, mostly of one tenant. OFFSET 0 makes PostgreSQL reduce them
    -- to tenants before it joins the messages.
    OFFSET 0
) AS owner ON owner.change_id = changed.change_id;
