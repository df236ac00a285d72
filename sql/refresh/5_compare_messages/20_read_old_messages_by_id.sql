-- Read the stored rows of further messages by their ids: those that the changes name, and those that come with a
-- conversation whose messages are read again.
--
-- when: write
-- A named message in a conversation of another batch is not read here: it moved there, and another batch has taken or
-- will take that change.
INSERT INTO old_messages ({columns.lead_messages})
SELECT {columns.lead_messages of m}
FROM (
    SELECT
        named.user_id,
        named.message_id,
        bool_or(named.is_staged) AS is_staged
    FROM (
        SELECT
            s.user_id,
            s.message_id,
            false AS is_staged
        FROM stale_messages AS s
        UNION ALL
        SELECT
            n.user_id,
            n.message_id,
            true AS is_staged
        FROM new_messages AS n
    ) AS named
    LEFT JOIN old_messages AS o ON o.user_id = named.user_id AND o.message_id = named.message_id
    WHERE o.user_id IS NULL
    GROUP BY named.user_id, named.message_id
) AS wanted
CROSS JOIN LATERAL (
    SELECT stored.*
    FROM read_model.lead_messages AS stored
    WHERE stored.user_id = wanted.user_id AND stored.message_id = wanted.message_id
    {tenants} {stored_fence}
) AS m
WHERE wanted.is_staged OR m.conversation_id IN (SELECT k.key FROM stale_keys AS k WHERE k.kind = 'conversation');
