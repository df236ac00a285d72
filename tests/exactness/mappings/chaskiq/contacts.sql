SELECT
    u.id AS contact_id,
    u.app_id AS user_id,
    coalesce(nullif(u.properties ->> 'phone', ''), u.email, u.id::text) AS phone,
    u.properties ->> 'name' AS name,
    u.email,
    u.properties ->> 'company_name' AS company,
    u.updated_at
FROM app_users AS u;
