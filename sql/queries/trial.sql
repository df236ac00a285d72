-- The queries of projector/trial/.

-- name: has_users
-- Returns whether the platform has any tenant.
SELECT EXISTS (SELECT FROM projector.source_tenants());

-- name: find_example_lead
-- Returns user_id and customer_phone of the wanted lead; else of the last active lead of its tenant, or of any tenant.
SELECT
    l.user_id,
    l.customer_phone
FROM read_model.leads AS l
ORDER BY l.user_id = %(user_id)s DESC, l.customer_phone = %(customer_phone)s DESC, l.last_message_at DESC NULLS LAST
LIMIT 1;

-- name: find_newest_messages
-- Returns the newest message of each of the last active leads of a tenant.
SELECT
    m.conversation_id,
    m.sender,
    m.text,
    m.sequence_no
FROM (
    SELECT
        l.user_id,
        l.customer_phone
    FROM read_model.leads AS l
    WHERE l.user_id = %(user_id)s AND l.total_messages > 0
    ORDER BY l.last_message_at DESC
    LIMIT %(leads)s
) AS l
CROSS JOIN LATERAL (
    SELECT
        m.conversation_id,
        m.sender,
        m.text,
        m.sequence_no
    FROM read_model.lead_messages AS m
    WHERE m.user_id = l.user_id AND m.customer_phone = l.customer_phone
    ORDER BY m.sent_at DESC, m.conversation_id DESC, m.sequence_no DESC NULLS FIRST, m.message_id DESC
    LIMIT 1
) AS m;
