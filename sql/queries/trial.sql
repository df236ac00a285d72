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

-- name: find_present_users
-- Returns the user_id of each demo tenant that already exists, in order.
--
-- Parameter: user_ids, the tenants that are to be loaded. users is the platform's table: before the first `migrate`
-- there is no function that reads it.
SELECT u.user_id
FROM {users} AS u
WHERE u.user_id = ANY(%(user_ids)s)
ORDER BY u.user_id COLLATE "C";

-- name: find_demanded_columns
-- Returns table, column and has_default of each column that may not be null. Parameters: tables, their names, and
-- relations, the same with their schemas.
SELECT
    t.name,
    a.attname::text AS column_name,
    a.atthasdef OR a.attidentity <> '' AS has_default
FROM unnest(%(tables)s::text[], %(relations)s::text[]) AS t (name, relation)
INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = to_regclass(t.relation)
WHERE a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped;
