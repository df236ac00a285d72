-- Note the deleted leads, with the version that their tenant gets at the end of this transaction.
--
-- when: leads_gone
-- Until the transaction ends, the tenant's lock keeps the version unchanged.
INSERT INTO read_model.lead_tombstones (user_id, customer_phone, version, deleted_at)
SELECT
    d.user_id,
    d.customer_phone,
    coalesce(stored.version, 0) + 1,
    now()
FROM lead_differences AS d
LEFT JOIN read_model.tenants AS stored ON stored.user_id = d.user_id {tenants}
WHERE d.table_name = 'leads' AND d.is_gone
ON CONFLICT (user_id, customer_phone) DO UPDATE SET version = excluded.version, deleted_at = excluded.deleted_at;
