-- Stage leads of one tenant to be compared whole, with all their conversations. The tenant is locked.
--
-- Parameters: user_id, customer_phones.
WITH leads AS MATERIALIZED (
    SELECT l.customer_phone COLLATE "C" AS customer_phone
    FROM unnest(%(customer_phones)s::text[]) AS l (customer_phone)
),

staged AS (
    INSERT INTO dirty_leads (user_id, customer_phone, profile, whole)
    SELECT
        %(user_id)s,
        leads.customer_phone,
        true,
        true
    FROM leads
)

INSERT INTO stale_conversations (
    conversation_id, profile, resync, old_user_id, old_customer_phone
)
SELECT
    k.conversation_id,
    true,
    true,
    %(user_id)s,
    leads.customer_phone
FROM leads
CROSS JOIN LATERAL (
    SELECT ck.conversation_id
    FROM projector.conversation_keys AS ck
    WHERE ck.user_id = %(user_id)s AND ck.customer_phone = leads.customer_phone
    OFFSET 0
) AS k;
