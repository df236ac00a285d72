SELECT
    c.id AS contact_id,
    c.org_id AS user_id,
    coalesce(
        (
            SELECT n.path
            FROM contacts_contacturn AS n
            WHERE n.contact_id = c.id
            ORDER BY n.priority DESC, n.id ASC
            LIMIT 1
        ),
        c.id::text
    ) AS phone,
    c.name,
    c.modified_on AS updated_at
FROM contacts_contact AS c
WHERE c.is_active;
