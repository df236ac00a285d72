-- Stage leads to be compared whole: all but those that wait.
--
-- Parameters: user_ids and customer_phones, two arrays of one length. Returns how many are staged.
WITH wanted AS MATERIALIZED (
    SELECT DISTINCT
        l.user_id COLLATE "C" AS user_id,
        l.customer_phone COLLATE "C" AS customer_phone
    FROM unnest(%(user_ids)s::text[], %(customer_phones)s::text[]) AS l (user_id, customer_phone)
    LEFT JOIN waiting_leads AS w
        ON w.user_id = l.user_id COLLATE "C" AND w.customer_phone = l.customer_phone COLLATE "C"
    WHERE w.user_id IS NULL
),

tenants_staged AS (
    INSERT INTO stale_tenants (user_id)
    SELECT DISTINCT wanted.user_id
    FROM wanted
),

conversations_staged AS (
    INSERT INTO stale_conversations (
        conversation_id, profile, resync, old_user_id, old_customer_phone
    )
    SELECT
        k.conversation_id,
        true,
        true,
        wanted.user_id,
        wanted.customer_phone
    FROM wanted
    CROSS JOIN LATERAL (
        SELECT ck.conversation_id
        FROM projector.conversation_keys AS ck
        WHERE ck.user_id = wanted.user_id AND ck.customer_phone = wanted.customer_phone
        OFFSET 0
    ) AS k
),

leads_staged AS (
    INSERT INTO dirty_leads (user_id, customer_phone, profile, whole)
    SELECT
        wanted.user_id,
        wanted.customer_phone,
        true,
        true
    FROM wanted
    RETURNING 1
)

SELECT count(*) AS leads
FROM leads_staged;
