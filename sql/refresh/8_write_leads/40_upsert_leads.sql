-- Write the leads that differ, with the version that their tenant gets at the end of this transaction.
--
-- when: leads_differ
-- Until the transaction ends, the tenant's lock keeps the version unchanged.
INSERT INTO read_model.leads ({columns.leads}, version)
SELECT
    {columns.leads of n},
    coalesce(stored.version, 0) + 1
FROM new_leads AS n
INNER JOIN lead_differences AS d ON d.table_name = 'leads' AND ({key.leads of d}) = ({key.leads of n})
LEFT JOIN read_model.tenants AS stored ON stored.user_id = n.user_id {tenants}
ON CONFLICT ({key.leads}) DO UPDATE SET {updates.leads}, version = excluded.version;
