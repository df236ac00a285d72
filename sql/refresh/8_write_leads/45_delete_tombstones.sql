-- Delete the tombstones of leads that came again.
--
-- on: read_model
-- when: leads_come
DELETE FROM read_model.lead_tombstones
WHERE ctid = any(ARRAY(
    SELECT r.row_id
    FROM new_leads AS n
    LEFT JOIN old_leads AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
    CROSS JOIN LATERAL (
        SELECT s.ctid AS row_id
        FROM read_model.lead_tombstones AS s
        WHERE s.user_id = n.user_id AND s.customer_phone = n.customer_phone
        OFFSET 0
    ) AS r
    WHERE o.user_id IS NULL
));
