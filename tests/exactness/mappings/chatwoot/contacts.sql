SELECT
    p.id AS contact_id,
    p.account_id AS user_id,
    coalesce(nullif(p.phone_number, ''), p.identifier, p.email) AS phone,
    concat_ws(' ', p.name, nullif(p.last_name, '')) AS name,
    p.email,
    p.additional_attributes ->> 'company_name' AS company,
    p.updated_at,
    p.blocked,
    p.custom_attributes AS attributes
FROM contacts AS p;
