-- Delete the hours that no longer have messages.
--
-- when: messages_leave
DELETE FROM read_model.message_counts AS stored
USING (
    SELECT DISTINCT
        d.user_id,
        date_trunc('hour', d.old_sent_at, 'UTC') AS hour
    FROM message_differences AS d
    WHERE d.old_conversation_id IS NOT NULL
) AS moved
WHERE stored.user_id = moved.user_id
    AND stored.hour = moved.hour
    AND stored.messages = 0
    {tenants};
