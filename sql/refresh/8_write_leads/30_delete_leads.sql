-- Delete the leads that have neither a conversation nor a counted template send any more.
--
-- when: leads_gone
DELETE FROM read_model.leads AS stored
USING (
    SELECT
        o.user_id,
        o.customer_phone
    FROM old_leads AS o
    LEFT JOIN new_leads AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone
    WHERE n.user_id IS NULL
) AS doomed
WHERE stored.user_id = doomed.user_id
    AND stored.customer_phone = doomed.customer_phone
    {tenants};
