-- Update the number of messages of each hour, in the transaction that writes the messages.
--
-- when: messages_move
-- A new message changes one row. A message whose text or status changes does not change any.
WITH message_moves AS (
    SELECT
        d.user_id,
        d.sent_at,
        1 AS weight
    FROM message_differences AS d
    WHERE d.conversation_id IS NOT NULL
    UNION ALL
    SELECT
        d.user_id,
        d.old_sent_at AS sent_at,
        -1 AS weight
    FROM message_differences AS d
    WHERE d.old_conversation_id IS NOT NULL
)

INSERT INTO read_model.message_counts AS s ({columns.message_counts})
SELECT {columns.message_counts of d}
FROM ({definition.message_counts}) AS d
WHERE d.messages <> 0
ON CONFLICT ({key.message_counts}) DO UPDATE SET {additions.message_counts of s};
