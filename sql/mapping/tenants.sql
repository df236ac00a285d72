-- The tenants, and their names.
SELECT
    u.user_id,
    u.company_name AS name
FROM users AS u;
