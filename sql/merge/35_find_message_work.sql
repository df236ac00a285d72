-- The names of the next steps that have something to do: most messages are new ones, and none has to go.
SELECT array_remove(
    ARRAY[
        CASE WHEN bool_or(d.conversation_id IS NULL) THEN 'delete_messages' END,
        CASE WHEN bool_or(d.conversation_id IS NOT NULL) THEN 'upsert_messages' END
    ],
    NULL
) AS steps
FROM stage_message_changes AS d;
