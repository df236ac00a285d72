-- Find the lead to which each stale key belonged, as far as the read model knows.
--
-- unless: fills
WITH known AS (
    SELECT
        s.kind,
        s.key,
        k.user_id,
        k.customer_phone
    FROM stale_keys AS s
    CROSS JOIN LATERAL (
        SELECT
            sk.user_id,
            sk.customer_phone
        FROM projector.source_keys AS sk
        WHERE sk.kind = s.kind AND sk.key = s.key
        OFFSET 0
    ) AS k
)

UPDATE stale_keys AS s
SET old_user_id = known.user_id, old_customer_phone = known.customer_phone
FROM known
WHERE known.kind = s.kind AND known.key = s.key;
