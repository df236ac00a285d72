-- The look-ups of projector/database/connect.py: what a new connection needs to know.

-- name: can_read_settings
-- Returns whether the login may read projector.settings and projector.source_tables; null where the read model is not
-- installed. A table of this name that somebody else made lacks our columns.
SELECT
    CASE
        WHEN has_schema_privilege(to_regnamespace('projector'), 'USAGE')
            THEN has_table_privilege(to_regclass('projector.settings'), 'SELECT')
            AND has_table_privilege(to_regclass('projector.source_tables'), 'SELECT') AND (
                SELECT count(*) = 2
                FROM pg_catalog.pg_attribute AS a
                INNER JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.relname = 'settings'
                INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'projector'
                WHERE a.attname IN ('name', 'value')
            )
    END AS can_read_settings;

-- name: find_source_schemas
-- Returns the schemas in which the last `migrate` looked for the platform's tables, in order.
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

-- name: read_source_tables
-- Returns the name and the schema of each source table, as the last `migrate` found it.
SELECT
    s.table_name,
    s.schema_name
FROM projector.source_tables AS s;

-- name: locate_source
-- Returns the name of each source table that is found, and the first of the schemas that has it.
--
-- Parameters: tables, their names; schemas, in the order in which they are searched.
SELECT DISTINCT ON (c.relname)
    c.relname::text AS table_name,
    n.nspname::text AS schema_name
FROM unnest(%(schemas)s::text[]) WITH ORDINALITY AS path (schema_name, place)
INNER JOIN pg_catalog.pg_namespace AS n ON n.nspname = path.schema_name
INNER JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
WHERE c.relname = ANY(%(tables)s)
ORDER BY c.relname ASC, path.place ASC;
