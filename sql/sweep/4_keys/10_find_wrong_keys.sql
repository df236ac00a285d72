-- Find the keys that projector.source_keys has under another lead than the definition, or that only one of them has.
--
-- Parameter: tenants, null for all. It needs no lock, because changes meanwhile wait in the queue.
INSERT INTO wrong_keys (kind, key)
SELECT
    d.kind,
    d.key COLLATE "C"
FROM projector.current_keys() AS d
LEFT JOIN projector.source_keys AS k ON k.kind = d.kind AND k.key = d.key COLLATE "C"
WHERE (%(tenants)s::text[] IS NULL OR d.user_id = any(%(tenants)s::text[]))
    AND (k.user_id, k.customer_phone) IS DISTINCT FROM (d.user_id, d.customer_phone)
UNION
SELECT
    k.kind,
    k.key
FROM projector.source_keys AS k
LEFT JOIN projector.current_keys() AS d ON d.kind = k.kind AND d.key = k.key COLLATE "default"
WHERE (%(tenants)s::text[] IS NULL OR k.user_id = any(%(tenants)s::text[]))
    AND (d.user_id, d.customer_phone) IS DISTINCT FROM (k.user_id, k.customer_phone);
