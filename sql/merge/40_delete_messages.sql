-- Delete the messages that have no source row any more, or whose source row is no lead's.
--
-- Here and in `merge_leads` the rows to delete are looked up first, one by one, and deleted by ctid: joined to the
-- stage, whose size the planner can but guess, a table of any size was read from end to end. The tenants' locks hold
-- the rows.
DELETE FROM read_model.lead_messages
WHERE ctid = any(ARRAY(
    SELECT m.row_id
    FROM stage_message_changes AS d
    CROSS JOIN LATERAL (
        SELECT lm.ctid AS row_id
        FROM read_model.lead_messages AS lm
        WHERE lm.user_id = d.user_id AND lm.message_id = d.message_id
        OFFSET 0
    ) AS m
    WHERE d.conversation_id IS NULL
));
