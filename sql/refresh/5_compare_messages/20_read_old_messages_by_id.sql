-- Then by message: those that the changes name, and those that come in with a conversation whose messages are read
-- again.
--
-- on: read_model
-- when: write
-- A named message that is in a conversation of another batch, and is not read here, is left alone: it moved there,
-- and its change was taken or will be.
INSERT INTO old_messages ({columns.lead_messages})
SELECT {columns.lead_messages of m}
FROM (
    SELECT
        named.user_id,
        named.message_id,
        bool_or(named.staged) AS staged
    FROM (
        SELECT
            stale_messages.user_id,
            stale_messages.message_id,
            false AS staged
        FROM stale_messages
        UNION ALL
        SELECT
            new_messages.user_id,
            new_messages.message_id,
            true AS staged
        FROM new_messages
    ) AS named
    GROUP BY named.user_id, named.message_id
) AS s
LEFT JOIN old_messages AS o ON o.user_id = s.user_id AND o.message_id = s.message_id
CROSS JOIN LATERAL (
    SELECT lm.*
    FROM read_model.lead_messages AS lm
    WHERE lm.user_id = s.user_id AND lm.message_id = s.message_id
    OFFSET 0
) AS m
WHERE o.user_id IS NULL
    AND (s.staged OR m.conversation_id IN (SELECT k.key FROM stale_keys AS k WHERE k.kind = 'conversation'));
