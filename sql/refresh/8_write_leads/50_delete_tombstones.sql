-- Delete the tombstones of leads that exist again.
--
-- when: leads_come
DELETE FROM read_model.lead_tombstones AS stored
USING lead_differences AS d
WHERE d.table_name = 'leads'
    AND d.is_new
    AND stored.user_id = d.user_id
    AND stored.customer_phone = d.customer_phone
    {tenants};
