-- Then by message: those that the changes name, and those that come in with a conversation whose messages are read
-- again.
--
-- when: write
-- A named message that is in a conversation of another batch, and is not read here, is left alone: it moved there,
-- and its change was taken or will be.
-- with found = (
--     SELECT {columns.lead_messages of m}, s.staged
--     FROM (
--         SELECT named.user_id, named.message_id, named.staged
--         FROM (
--             SELECT every.user_id, every.message_id, bool_or(every.staged) AS staged
--             FROM (
--                 SELECT stale_messages.user_id, stale_messages.message_id, false AS staged FROM stale_messages
--                 UNION ALL
--                 SELECT new_messages.user_id, new_messages.message_id, true AS staged FROM new_messages
--             ) AS every
--             GROUP BY every.user_id, every.message_id
--         ) AS named
--         LEFT JOIN old_messages AS o ON o.user_id = named.user_id AND o.message_id = named.message_id
--         WHERE o.user_id IS NULL
--     ) AS s
--     CROSS JOIN LATERAL (
--         SELECT stored.*
--         FROM read_model.lead_messages AS stored
--         WHERE stored.user_id = s.user_id AND stored.message_id = s.message_id
--         {fence}
--     ) AS m)
INSERT INTO old_messages ({columns.lead_messages})
SELECT {columns.lead_messages of f}
FROM {found} AS f
WHERE f.staged OR f.conversation_id IN (SELECT k.key FROM stale_keys AS k WHERE k.kind = 'conversation');
