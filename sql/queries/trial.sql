-- The queries of projector/trial/.

-- name: has_users
-- Returns whether the platform has any tenant.
SELECT EXISTS (SELECT FROM projector.source_tenants());

-- name: find_example_lead
-- Returns user_id and customer_phone of the wanted lead; else of the last active lead of its tenant, else of any.
SELECT
    l.user_id,
    l.customer_phone
FROM read_model.leads AS l
ORDER BY l.user_id = %(user_id)s DESC, l.customer_phone = %(customer_phone)s DESC, l.last_message_at DESC NULLS LAST
LIMIT 1;
