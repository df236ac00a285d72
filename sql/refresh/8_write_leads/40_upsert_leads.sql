-- Write the leads that differ, and no other, with the version that their tenant gets at the end of this transaction.
--
-- when: leads_differ
-- The tenant's lock keeps the version from moving until then.
INSERT INTO read_model.leads ({columns.leads}, version)
SELECT
    {columns.leads of n},
    coalesce(stored.version, 0) + 1
FROM new_leads AS n
LEFT JOIN old_leads AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
LEFT JOIN read_model.tenants AS stored ON stored.user_id = n.user_id {tenants}
WHERE (o.*) IS DISTINCT FROM (n.*)
ON CONFLICT ({key.leads}) DO UPDATE SET {updates.leads}, version = excluded.version;
