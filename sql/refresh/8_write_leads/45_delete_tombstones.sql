-- Delete the tombstones of leads that came again.
--
-- when: leads_come
DELETE FROM read_model.lead_tombstones AS stored
USING (
    SELECT
        n.user_id,
        n.customer_phone
    FROM new_leads AS n
    LEFT JOIN old_leads AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
    WHERE o.user_id IS NULL
) AS doomed
WHERE stored.user_id = doomed.user_id
    AND stored.customer_phone = doomed.customer_phone
    {tenants};
