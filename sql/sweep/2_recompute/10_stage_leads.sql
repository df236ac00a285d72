-- Stage leads to be compared fully, with all their conversations. Their tenants are locked.
--
-- Parameters: user_ids and customer_phones, of the leads; all_keys, whether to read their contacts and template sends
-- again too, which may belong to another lead by now.
WITH piece AS MATERIALIZED (
    SELECT DISTINCT
        l.user_id COLLATE "C" AS user_id,
        l.customer_phone COLLATE "C" AS customer_phone
    FROM unnest(%(user_ids)s::text[], %(customer_phones)s::text[]) AS l (user_id, customer_phone)
),

tenants_staged AS (
    INSERT INTO stale_tenants (user_id)
    SELECT DISTINCT piece.user_id
    FROM piece
),

keys_staged AS (
    INSERT INTO stale_keys (kind, key, reload_profile, reload_messages, old_user_id, old_customer_phone)
    SELECT
        k.kind,
        k.key,
        true,
        true,
        piece.user_id,
        piece.customer_phone
    FROM piece
    CROSS JOIN LATERAL (
        SELECT
            sk.kind,
            sk.key
        FROM projector.source_keys AS sk
        WHERE sk.user_id = piece.user_id
            AND sk.customer_phone = piece.customer_phone
            AND (sk.kind = 'conversation' OR %(all_keys)s)
        OFFSET 0
    ) AS k
)

INSERT INTO lead_invalidations (user_id, customer_phone, reload_profile, compare_fully)
SELECT
    piece.user_id,
    piece.customer_phone,
    true,
    true
FROM piece;
