-- The queries of projector/trial/.

-- name: has_database
-- Returns whether the server has a database.
SELECT EXISTS (SELECT FROM pg_catalog.pg_database AS d WHERE d.datname = %(database)s);

-- name: has_users
-- Returns whether the platform has any tenant.
SELECT EXISTS (SELECT FROM projector.source_tenants());

-- name: find_example_lead
-- Returns user_id and customer_phone of the wanted lead; else of the tenant with most leads its last active one, a
-- phone number before other identifiers.
SELECT
    l.user_id,
    l.customer_phone
FROM (
    SELECT t.user_id
    FROM read_model.lead_totals AS t
    WHERE t.granularity = 'all'
    ORDER BY t.user_id = %(user_id)s DESC, t.leads DESC, t.user_id ASC
    LIMIT 1
) AS tenant
INNER JOIN read_model.leads AS l ON l.user_id = tenant.user_id
ORDER BY
    l.customer_phone = %(customer_phone)s DESC,
    l.customer_phone ~ '^[0-9]+$' DESC,
    l.last_message_at DESC NULLS LAST,
    l.customer_phone ASC
LIMIT 1;
