-- Note the leads that went, with the version that their tenant gets at the end of this transaction.
--
-- when: leads_gone
-- The tenant's lock keeps the version from moving until then.
INSERT INTO read_model.lead_tombstones (user_id, customer_phone, version, deleted_at)
SELECT
    o.user_id,
    o.customer_phone,
    coalesce(stored.version, 0) + 1,
    now()
FROM old_leads AS o
LEFT JOIN new_leads AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone -- noqa: ST11
LEFT JOIN read_model.tenants AS stored ON stored.user_id = o.user_id {tenants}
WHERE n.user_id IS NULL
ON CONFLICT (user_id, customer_phone) DO UPDATE SET version = excluded.version, deleted_at = excluded.deleted_at;
