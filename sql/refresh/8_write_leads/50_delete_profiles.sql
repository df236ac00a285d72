-- Delete the profiles of leads that do not exist any more.
--
-- on: read_model
-- when: profiles_gone
DELETE FROM read_model.lead_profiles
WHERE ctid = any(ARRAY(
    SELECT r.row_id
    FROM old_profiles AS o
    LEFT JOIN new_leads AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone
    CROSS JOIN LATERAL (
        SELECT t.ctid AS row_id
        FROM read_model.lead_profiles AS t
        WHERE t.user_id = o.user_id AND t.customer_phone = o.customer_phone
        OFFSET 0
    ) AS r
    WHERE n.user_id IS NULL
));
