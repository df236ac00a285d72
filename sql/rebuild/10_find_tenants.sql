-- Every tenant that has, or may have, a lead: by the source, by the key tables and by what the read model holds.
SELECT a.user_id::text COLLATE "C" AS user_id
FROM agents AS a
UNION
SELECT t.user_id::text COLLATE "C"
FROM templates AS t
UNION
SELECT t.user_id
FROM read_model.tenants AS t
UNION
SELECT s.user_id
FROM read_model.lead_stats AS s
ORDER BY user_id;
