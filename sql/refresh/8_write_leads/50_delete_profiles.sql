-- Delete the profiles of leads that do not exist any more.
--
-- when: profiles_gone
DELETE FROM read_model.lead_profiles AS stored
USING (
    SELECT
        o.user_id,
        o.customer_phone
    FROM old_profiles AS o
    LEFT JOIN new_leads AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone
    WHERE n.user_id IS NULL
) AS doomed
WHERE stored.user_id = doomed.user_id
    AND stored.customer_phone = doomed.customer_phone
    {tenants};
