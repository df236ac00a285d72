-- The contacts.
SELECT
    c.contact_id,
    c.user_id,
    c.phone,
    c.name,
    c.email,
    c.company,
    c.updated_at
FROM contacts AS c;
