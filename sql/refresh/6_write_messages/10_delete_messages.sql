-- Delete the messages that have no source row any more, or whose source row belongs to no lead.
--
-- on: read_model
-- when: messages_gone
-- Here and in the steps that delete leads, the rows are looked up first, one by one, and deleted by ctid, which the
-- tenant's lock keeps valid. A join with the staging table, whose size the planner can only guess, read a table of
-- any size from end to end.
DELETE FROM read_model.lead_messages
WHERE ctid = any(ARRAY(
    SELECT m.row_id
    FROM message_differences AS d
    CROSS JOIN LATERAL (
        SELECT lm.ctid AS row_id
        FROM read_model.lead_messages AS lm
        WHERE lm.user_id = d.user_id AND lm.message_id = d.message_id
        OFFSET 0
    ) AS m
    WHERE d.conversation_id IS NULL
));
