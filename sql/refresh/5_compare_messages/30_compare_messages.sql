-- Compare the messages, stage those that differ, and find out which of the next steps have work: usually all messages
-- are new, and none has to be deleted. Rows are compared before any is written, so that a correct row costs no WAL.
--
-- returns: conditions
-- unless: fills
WITH differing AS (
    INSERT INTO message_differences (
        user_id, message_id, old_customer_phone, old_conversation_id, old_sent_at, old_sender, customer_phone,
        conversation_id, sent_at, sender
    )
    SELECT
        coalesce(n.user_id, o.user_id),
        coalesce(n.message_id, o.message_id),
        o.customer_phone,
        o.conversation_id,
        o.sent_at,
        o.sender,
        n.customer_phone,
        n.conversation_id,
        n.sent_at,
        n.sender
    FROM old_messages AS o
    FULL JOIN new_messages AS n ON n.user_id = o.user_id AND n.message_id = o.message_id
    WHERE ({values.lead_messages of o}) IS DISTINCT FROM ({values.lead_messages of n})
    RETURNING
        conversation_id,
        old_conversation_id,
        date_trunc('hour', old_sent_at, 'UTC') IS DISTINCT FROM date_trunc('hour', sent_at, 'UTC') AS moves
)

SELECT
    array_remove(
        ARRAY[
            CASE WHEN bool_or(d.conversation_id IS NULL) THEN 'messages_gone' END,
            CASE WHEN bool_or(d.old_conversation_id IS NULL) THEN 'messages_come' END,
            CASE
                WHEN bool_or(d.conversation_id IS NOT NULL AND d.old_conversation_id IS NOT NULL) THEN 'messages_change'
            END,
            CASE WHEN bool_or(d.moves) THEN 'messages_move' END,
            CASE WHEN bool_or(d.moves AND d.old_conversation_id IS NOT NULL) THEN 'messages_leave' END,
            CASE WHEN EXISTS (SELECT FROM lead_invalidations AS i WHERE i.reload_profile) THEN 'profiles_stale' END
        ],
        NULL
    ) AS conditions
FROM differing AS d;
