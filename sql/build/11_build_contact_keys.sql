-- Every contact and its lead, from the source.
INSERT INTO read_model_next.contact_keys (contact_id, user_id, customer_phone)
SELECT
    c.contact_id,
    c.user_id,
    projector.canonical_phone(c.phone)
FROM contacts AS c
WHERE projector.canonical_phone(c.phone) IS NOT NULL AND c.user_id IS NOT NULL;
