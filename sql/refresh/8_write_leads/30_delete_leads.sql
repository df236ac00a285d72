-- Delete the leads that have neither a conversation nor a counted template send any more.
--
-- on: read_model
-- when: leads_gone
DELETE FROM read_model.leads
WHERE ctid = any(ARRAY(
    SELECT r.row_id
    FROM old_leads AS o
    LEFT JOIN new_leads AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone
    CROSS JOIN LATERAL (
        SELECT t.ctid AS row_id
        FROM read_model.leads AS t
        WHERE t.user_id = o.user_id AND t.customer_phone = o.customer_phone
        OFFSET 0
    ) AS r
    WHERE n.user_id IS NULL
));
