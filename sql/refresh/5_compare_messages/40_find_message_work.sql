-- Find out which of the next steps have something to do: most messages are new, and none has to be deleted.
--
-- returns: conditions
SELECT
    array_remove(
        ARRAY[
            CASE WHEN bool_or(d.conversation_id IS NULL) THEN 'messages_gone' END,
            CASE WHEN bool_or(d.conversation_id IS NOT NULL) THEN 'messages_differ' END,
            CASE WHEN bool_or(d.moves) THEN 'messages_move' END,
            CASE WHEN bool_or(d.moves AND d.old_conversation_id IS NOT NULL) THEN 'messages_leave' END
        ],
        NULL
    ) AS conditions
FROM (
    SELECT
        m.conversation_id,
        m.old_conversation_id,
        (date_trunc('hour', m.old_sent_at, 'UTC') IS DISTINCT FROM date_trunc('hour', m.sent_at, 'UTC')) AS moves
    FROM message_differences AS m
) AS d;
