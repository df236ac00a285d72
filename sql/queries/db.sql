-- The look-ups of projector/db.py: what a new connection needs to know.

-- name: can_read_settings
-- Returns whether the login may read projector.settings; null where the read model is not installed. A table of this
-- name that somebody else made lacks our columns.
SELECT
    CASE
        WHEN has_schema_privilege(to_regnamespace('projector'), 'USAGE')
            THEN has_table_privilege(to_regclass('projector.settings'), 'SELECT') AND (
                SELECT count(*) = 2
                FROM pg_catalog.pg_attribute AS a
                INNER JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.relname = 'settings'
                INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'projector'
                WHERE a.attname IN ('name', 'value')
            )
    END AS can_read_settings;

-- name: find_source_schemas
-- Returns the schemas in which the last `migrate` found the platform's tables, in the order of the search_path.
SELECT s.value::text[] AS source_schemas
FROM projector.settings AS s
WHERE s.name = 'source_schemas';

-- name: find_closed_schema
-- Returns schema_name and role_name, both quoted for SQL, of a schema with source tables that the login may not use.
--
-- Parameters: schemas, tables (the names of the source tables).
SELECT
    quote_ident(n.nspname) AS schema_name,
    quote_ident(current_user) AS role_name
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname = ANY(%(schemas)s)
    AND NOT has_schema_privilege(n.oid, 'USAGE')
    AND EXISTS (
        SELECT
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = n.oid AND c.relname = ANY(%(tables)s)
    )
LIMIT 1;

-- name: look_into
-- Set the search_path of the session.
--
-- Parameter: schemas, in the order in which they are searched.
SELECT set_config('search_path', string_agg(quote_ident(s.schema_name), ', ' ORDER BY s.place), false)
FROM unnest(%(schemas)s::text[]) WITH ORDINALITY AS s (schema_name, place);
