-- Find out which of the next steps have something to do: most messages are new, and none has to be deleted.
--
-- returns: conditions
SELECT
    array_remove(
        ARRAY[
            CASE WHEN bool_or(d.conversation_id IS NULL) THEN 'messages_gone' END,
            CASE WHEN bool_or(d.conversation_id IS NOT NULL) THEN 'messages_differ' END
        ],
        NULL
    ) AS conditions
FROM message_differences AS d;
