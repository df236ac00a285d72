-- The commands that let others do with tables of another schema, or of another name, what they may do with these.
--
-- Parameters: tables, schema; name, null where each table is called as before.
SELECT
    format(
        'GRANT %%s ON %%I.%%I TO %%s%%s',
        g.privilege_type,
        %(schema)s::text,
        coalesce(%(name)s::text, t.relname),
        CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END,
        CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    )
FROM pg_catalog.pg_class AS t
CROSS JOIN LATERAL aclexplode(t.relacl) AS g
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = g.grantee
WHERE t.oid = any(%(tables)s::regclass[]) AND g.grantee <> t.relowner;
