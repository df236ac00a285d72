-- The commands that give tables of another schema to whom these belong, where that is somebody else than we are.
--
-- Parameters: tables; schema.
SELECT format('ALTER TABLE %%I.%%I OWNER TO %%I', %(schema)s::text, t.relname, pg_get_userbyid(t.relowner))
FROM pg_catalog.pg_class AS t
WHERE t.oid = any(%(tables)s::regclass[]) AND pg_get_userbyid(t.relowner) <> current_user;
