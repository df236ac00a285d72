-- Read which of these keys projector.source_keys has under another lead than the source, or only one of them has.
--
-- The waiting leads come from the same snapshot.
-- Returns: kind, key, user_id and customer_phone of its lead in the source, or else in projector.source_keys; waits,
-- whether a change of its lead waits.
SELECT
    w.kind,
    w.key,
    coalesce(d.user_id, k.user_id) AS user_id,
    coalesce(d.customer_phone, k.customer_phone) AS customer_phone,
    EXISTS (
        SELECT 1
        FROM waiting_leads AS l
        WHERE (l.user_id = d.user_id AND l.customer_phone = d.customer_phone)
            OR (l.user_id = k.user_id AND l.customer_phone = k.customer_phone)
    ) AS waits
FROM wrong_keys AS w
LEFT JOIN LATERAL (
    SELECT
        d.user_id,
        d.customer_phone
    FROM projector.current_key(w.kind, w.key) AS d
    OFFSET 0
) AS d ON true
LEFT JOIN LATERAL (
    SELECT
        sk.user_id,
        sk.customer_phone
    FROM projector.source_keys AS sk
    WHERE sk.kind = w.kind AND sk.key = w.key
    OFFSET 0
) AS k ON true
WHERE (k.user_id, k.customer_phone) IS DISTINCT FROM (d.user_id, d.customer_phone);
