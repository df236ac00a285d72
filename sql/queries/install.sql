-- What migrate and uninstall ask.

-- name: read_predecessor
-- Returns is_alone, whether the database has a read model without the state of its projector, and is_too_old, whether a
-- version installed it that `migrate` takes nothing over from.
SELECT
    to_regclass('read_model.projection') IS NOT NULL AND to_regclass('projector.changes') IS NULL AS is_alone,
    to_regclass('projector.changes') IS NOT NULL AND to_regclass('projector.source_keys') IS NULL AS is_too_old;

-- name: note_source
-- Notes the schema of each of the platform's tables: every session of ours takes them from there, whatever search_path
-- its login has. Parameters: tables, their names, and schemas, one for each.
INSERT INTO projector.source_tables (table_name, schema_name)
SELECT
    found.table_name,
    found.schema_name
FROM unnest(%(tables)s::text[], %(schemas)s::text[]) AS found (table_name, schema_name)
ON CONFLICT (table_name) DO UPDATE SET schema_name = excluded.schema_name;

-- name: note_source_schemas
-- Notes the schemas of the platform's tables for the projector of the version before, which looks into them in order.
-- Parameter: schemas.
INSERT INTO projector.settings (name, value)
VALUES ('source_schemas', %(schemas)s::text[]::text)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: note_version
-- Notes the projection version of the program that migrates. Parameter: version.
INSERT INTO projector.settings (name, value)
VALUES ('projection_version', %(version)s)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: begin_projection
-- Creates the row of the read model as a whole.
--
-- Parameter: version, the projection version of the program that migrates.
INSERT INTO read_model.projection (version)
VALUES (%(version)s)
ON CONFLICT DO NOTHING;

-- name: find_source
-- Returns of each source table, in the order in which they are given: name; kind, "table" or what else has its name,
-- null for nothing; owner; is_ours, whether this login has the rights of the owner; columns, their names.
--
-- Parameters: tables, their names, and relations, the same with their schemas.
SELECT
    t.name,
    CASE
        WHEN c.relkind IN ('r', 'p') THEN 'table'
        WHEN c.relkind = 'v' THEN 'view'
        WHEN c.relkind = 'm' THEN 'materialized view'
        WHEN c.relkind = 'f' THEN 'foreign table'
        WHEN c.oid IS NOT NULL THEN 'relation'
    END AS kind,
    c.relowner::regrole::text AS owner,
    coalesce(pg_has_role(c.relowner, 'USAGE'), false) AS is_ours,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS columns
FROM unnest(%(tables)s::text[], %(relations)s::text[]) WITH ORDINALITY AS t (name, relation, place)
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(t.relation)
ORDER BY t.place;

-- name: read_role
-- Returns: current_user, and whether it may take the role of the API.
SELECT
    current_user::text AS name,
    pg_has_role('leads_api', 'MEMBER') AS is_member;

-- name: read_user
SELECT current_user::text AS name;

-- name: has_role
-- Returns one row if a role exists. Parameter: role.
SELECT
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = %(role)s;

-- name: has_index
-- Returns whether a table has an index that begins with a column. Parameters: relation, the table with its schema;
-- column_name.
SELECT EXISTS (
    SELECT
    FROM pg_catalog.pg_index AS i
    INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = to_regclass(%(relation)s)
        AND a.attname = %(column_name)s
        AND i.indisvalid
        AND i.indpred IS NULL
) AS has_index;

-- name: find_ascii_collation
-- Returns: datname, datcollate, if lower() knows ASCII letters only in this database.
SELECT
    d.datname::text,
    d.datcollate::text
FROM pg_catalog.pg_database AS d
WHERE d.datname = current_database() AND d.datcollate IN ('C', 'POSIX') AND lower('Ä') <> 'ä';
