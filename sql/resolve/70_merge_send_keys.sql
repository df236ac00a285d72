-- Note which lead each stale template send belongs to now; collect its old and its new lead as stale.
--
-- Rules as for conversations: where another refresh moved one to a tenant not locked here, the batch bucket_start again.
WITH resolved AS MATERIALIZED (
    SELECT
        s.send_id,
        o.user_id AS old_user_id,
        o.customer_phone AS old_customer_phone,
        n.user_id,
        n.customer_phone
    FROM stale_sends AS s
    LEFT JOIN LATERAL (
        SELECT
            k.user_id,
            k.customer_phone
        FROM projector.send_keys AS k
        WHERE k.send_id = s.send_id
        OFFSET 0
    ) AS o ON true
    LEFT JOIN LATERAL (
        SELECT
            t.user_id::text COLLATE "C" AS user_id,
            projector.canonical_phone(ts.customer_phone) COLLATE "C" AS customer_phone
        FROM template_sends AS ts
        INNER JOIN templates AS t ON t.template_id = ts.template_id
        WHERE ts.send_id = s.send_id COLLATE "default"
        OFFSET 0
    ) AS n ON n.customer_phone IS NOT NULL AND n.user_id IN (SELECT t.user_id FROM stale_tenants AS t)
    WHERE CASE
        WHEN o.user_id IS NULL OR o.user_id IN (SELECT t.user_id FROM stale_tenants AS t) THEN true
        ELSE projector.begin_again()
    END
),

collected AS (
    INSERT INTO dirty_leads (user_id, customer_phone, profile, whole)
    SELECT
        r.old_user_id,
        r.old_customer_phone,
        true,
        false
    FROM resolved AS r
    WHERE r.old_user_id IS NOT NULL
    UNION ALL
    SELECT
        r.user_id,
        r.customer_phone,
        true,
        false
    FROM resolved AS r
    WHERE r.user_id IS NOT NULL
),

gone AS (
    DELETE FROM projector.send_keys AS k
    USING resolved AS r
    WHERE r.user_id IS NULL
        AND k.send_id = r.send_id
        AND k.user_id = r.old_user_id
        AND k.customer_phone = r.old_customer_phone
),

moved AS (
    UPDATE projector.send_keys AS k
    SET user_id = r.user_id, customer_phone = r.customer_phone
    FROM resolved AS r
    WHERE r.user_id IS NOT NULL
        AND k.send_id = r.send_id
        AND k.user_id = r.old_user_id
        AND k.customer_phone = r.old_customer_phone
        AND (r.user_id, r.customer_phone) IS DISTINCT FROM (r.old_user_id, r.old_customer_phone)
)

INSERT INTO projector.send_keys (send_id, user_id, customer_phone)
SELECT
    r.send_id,
    r.user_id,
    r.customer_phone
FROM resolved AS r
WHERE r.user_id IS NOT NULL AND r.old_user_id IS NULL
ORDER BY r.send_id;
