-- Note the schemas in which the platform's tables are: every session of ours looks there, whatever its login has for a
-- search_path.
--
-- Parameter: tables, their names. The schemas of tables stand first, in the order in which this session has found them;
-- then the others that it looks into, since types and operators of the source may be there.
INSERT INTO projector.settings (name, value)
SELECT
    'source_schemas',
    array_agg(path.schema ORDER BY found.is_there DESC, path.place ASC)::text
FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (schema, place)
CROSS JOIN LATERAL (
    SELECT
        path.schema IN (
            SELECT n.nspname
            FROM unnest(%(tables)s::text[]) AS wanted (name)
            INNER JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(wanted.name)
            INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        ) AS is_there
) AS found
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
