-- Note the schemas of the platform's tables, as a search_path: every session of ours looks there, whatever its login
-- has for one.
--
-- Parameter: tables, their names. In the order in which this session has found them.
INSERT INTO projector.settings (name, value)
SELECT
    'source_search_path',
    string_agg(quote_ident(path.schema), ', ' ORDER BY path.place)
FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (schema, place)
WHERE path.schema IN (
    SELECT n.nspname
    FROM unnest(%(tables)s::text[]) AS wanted (name)
    INNER JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(wanted.name)
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
