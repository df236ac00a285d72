-- Note which lead each stale conversation belongs to now; collect its old and its new lead as stale.
--
-- The old key is part of every condition, and inserts do not tolerate a conflict: should two refreshes ever meet on
-- one conversation under different tenants, the second fails and is tried again, instead of losing the first's lead.
WITH resolved AS MATERIALIZED (
    SELECT
        s.conversation_id,
        s.profile,
        s.resync,
        s.old_user_id,
        s.old_customer_phone,
        n.user_id,
        n.customer_phone
    FROM stale_conversations AS s
    LEFT JOIN stage_conversations AS n ON n.conversation_id = s.conversation_id
),

collected AS (
    INSERT INTO dirty_leads (user_id, customer_phone, profile, whole)
    SELECT
        r.old_user_id,
        r.old_customer_phone,
        r.profile OR (r.user_id, r.customer_phone) IS DISTINCT FROM (r.old_user_id, r.old_customer_phone),
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
        AND (r.user_id, r.customer_phone) IS DISTINCT FROM (r.old_user_id, r.old_customer_phone)
),

gone AS (
    DELETE FROM projector.conversation_keys AS k
    USING resolved AS r
    WHERE r.user_id IS NULL
        AND k.conversation_id = r.conversation_id
        AND k.user_id = r.old_user_id
        AND k.customer_phone = r.old_customer_phone
),

moved AS (
    UPDATE projector.conversation_keys AS k
    SET user_id = r.user_id, customer_phone = r.customer_phone
    FROM resolved AS r
    WHERE r.user_id IS NOT NULL
        AND k.conversation_id = r.conversation_id
        AND k.user_id = r.old_user_id
        AND k.customer_phone = r.old_customer_phone
        AND (r.user_id, r.customer_phone) IS DISTINCT FROM (r.old_user_id, r.old_customer_phone)
)

INSERT INTO projector.conversation_keys (conversation_id, user_id, customer_phone)
SELECT
    r.conversation_id,
    r.user_id,
    r.customer_phone
FROM resolved AS r
WHERE r.user_id IS NOT NULL AND r.old_user_id IS NULL
ORDER BY r.conversation_id;
