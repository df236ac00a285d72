-- The contacts. The last columns are attributes of the lead.
SELECT
    c.contact_id,
    c.user_id,
    c.phone,
    c.name,
    c.email,
    c.company,
    c.updated_at,
    c.tags,
    c.opted_out,
    c.source
FROM contacts AS c;
