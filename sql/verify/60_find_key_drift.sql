-- The wrong keys that belong to no lead which waits, each with the lead that the source puts it under, or that
-- projector.source_keys does.
--
-- Returns: kind, key, user_id, customer_phone.
SELECT
    w.kind,
    w.key,
    coalesce(d.user_id, k.user_id) AS user_id,
    coalesce(d.customer_phone, k.customer_phone) AS customer_phone
FROM wrong_keys AS w
LEFT JOIN LATERAL (
    SELECT
        d.user_id,
        d.customer_phone
    FROM projector.current_keys() AS d
    WHERE d.kind = w.kind AND d.key = w.key COLLATE "default"
    OFFSET 0
) AS d ON true
LEFT JOIN projector.source_keys AS k ON k.kind = w.kind AND k.key = w.key
LEFT JOIN waiting_leads AS wd ON wd.user_id = d.user_id AND wd.customer_phone = d.customer_phone
LEFT JOIN waiting_leads AS wk ON wk.user_id = k.user_id AND wk.customer_phone = k.customer_phone
WHERE wd.user_id IS NULL AND wk.user_id IS NULL;
