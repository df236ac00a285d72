-- Every tenant that has, or may have, a lead: by the source, by the key tables and by what the read model holds.
--
-- By contacts too: a lead that comes later has the contact of today, found by its key.
SELECT a.user_id::text COLLATE "C" AS user_id
FROM agents AS a
UNION
SELECT t.user_id::text COLLATE "C"
FROM templates AS t
UNION
SELECT c.user_id::text COLLATE "C"
FROM contacts AS c
UNION
SELECT k.user_id
FROM projector.conversation_keys AS k
UNION
SELECT k.user_id
FROM projector.contact_keys AS k
UNION
SELECT k.user_id
FROM projector.send_keys AS k
UNION
SELECT t.user_id
FROM read_model.tenants AS t
UNION
SELECT s.user_id
FROM read_model.lead_counts AS s
ORDER BY user_id;
