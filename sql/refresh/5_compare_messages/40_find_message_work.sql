-- Find out which of the next steps have something to do: most messages are new, and none has to be deleted.
--
-- returns: conditions
SELECT
    array_remove(
        ARRAY[
            CASE WHEN bool_or(d.conversation_id IS NULL) THEN 'messages_gone' END,
            CASE WHEN bool_or(d.conversation_id IS NOT NULL) THEN 'messages_differ' END,
            CASE WHEN bool_or(h.moves) THEN 'messages_move' END,
            CASE WHEN bool_or(h.moves AND d.old_conversation_id IS NOT NULL) THEN 'messages_leave' END
        ],
        NULL
    ) AS conditions
FROM message_differences AS d
CROSS JOIN LATERAL (
    SELECT date_trunc('hour', d.old_sent_at, 'UTC') IS DISTINCT FROM date_trunc('hour', d.sent_at, 'UTC') AS moves
) AS h;
