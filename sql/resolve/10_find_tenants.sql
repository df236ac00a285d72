-- The tenants that the stale keys belong to: by the source rows as they are, and by what the read model last knew.
--
-- Every probe is a LATERAL with OFFSET 0: it holds the planner to one index look-up a key, however many rows it
-- believes the stage to have.
INSERT INTO stale_tenants (user_id)
SELECT k.user_id
FROM stale_conversations AS s
CROSS JOIN LATERAL (
    SELECT ck.user_id
    FROM projector.conversation_keys AS ck
    WHERE ck.conversation_id = s.conversation_id
    OFFSET 0
) AS k
UNION
SELECT n.user_id
FROM stale_conversations AS s
CROSS JOIN LATERAL (
    SELECT a.user_id::text COLLATE "C" AS user_id
    FROM conversations AS c
    INNER JOIN agents AS a ON a.agent_id = c.agent_id
    WHERE c.conversation_id = s.conversation_id COLLATE "default"
    OFFSET 0
) AS n
UNION
SELECT k.user_id
FROM stale_contacts AS s
CROSS JOIN LATERAL (
    SELECT ck.user_id
    FROM projector.contact_keys AS ck
    WHERE ck.contact_id = s.contact_id
    OFFSET 0
) AS k
UNION
SELECT n.user_id
FROM stale_contacts AS s
CROSS JOIN LATERAL (
    SELECT c.user_id::text COLLATE "C" AS user_id
    FROM contacts AS c
    WHERE c.contact_id = s.contact_id COLLATE "default"
    OFFSET 0
) AS n
UNION
SELECT k.user_id
FROM stale_sends AS s
CROSS JOIN LATERAL (
    SELECT sk.user_id
    FROM projector.send_keys AS sk
    WHERE sk.send_id = s.send_id
    OFFSET 0
) AS k
UNION
SELECT n.user_id
FROM stale_sends AS s
CROSS JOIN LATERAL (
    SELECT t.user_id::text COLLATE "C" AS user_id
    FROM template_sends AS ts
    INNER JOIN templates AS t ON t.template_id = ts.template_id
    WHERE ts.send_id = s.send_id COLLATE "default"
    OFFSET 0
) AS n;
