SELECT
    u.id AS contact_id,
    'libredesk' AS user_id,
    coalesce(nullif(concat(u.phone_number_country_code, u.phone_number), ''), u.email) AS phone,
    concat_ws(' ', u.first_name, u.last_name) AS name,
    u.email,
    u.custom_attributes ->> 'company' AS company,
    u.updated_at,
    u.last_active_at AS last_active,
    u.custom_attributes AS attributes
FROM users AS u
WHERE u.type IN ('contact', 'visitor') AND u.deleted_at IS NULL;
