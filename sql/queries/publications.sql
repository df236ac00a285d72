-- What the publications of the platform leave out, where logical replication brings the rows of the source tables.

-- name: read_brought_tables
-- Returns each table that a subscription lists and that is a source table, or a partition of one: name; schema_name and
-- table_name, under which the origin publishes it; source_schema and source_name, its source table; publications; copy,
-- which tells one copy of its rows from the next, null while they are copied; computed, its generated columns.
SELECT
    format('%I.%I', n.nspname, c.relname) AS name,
    n.nspname::text AS schema_name,
    c.relname::text AS table_name,
    t.schema_name AS source_schema,
    t.table_name AS source_name,
    s.subpublications AS publications,
    CASE WHEN r.srsubstate IN ('s', 'r') THEN concat(r.srsubid, ' at ', coalesce(r.srsublsn, '0/0')) END AS copy,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attgenerated <> ''
    ) AS computed
FROM pg_catalog.pg_subscription_rel AS r
INNER JOIN pg_catalog.pg_subscription AS s ON s.oid = r.srsubid
INNER JOIN pg_catalog.pg_class AS c ON c.oid = r.srrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_catalog.pg_class AS root ON root.oid = coalesce(pg_catalog.pg_partition_root(c.oid)::oid, c.oid)
INNER JOIN pg_catalog.pg_namespace AS rn ON rn.oid = root.relnamespace
INNER JOIN projector.source_tables AS t ON t.schema_name = rn.nspname AND t.table_name = root.relname
ORDER BY name, s.subname;

-- name: read_published_tables
-- At the origin. Returns each table of these publications: publication, schema_name, table_name; columns, null for all;
-- is_filtered, whether a row filter chooses among its rows; statements, those whose changes are published.
-- Parameter: publications.
--
-- Before PostgreSQL 15, whole rows and all rows are published, and the view has no columns for anything else.
SELECT
    t.pubname::text AS publication,
    t.schemaname::text AS schema_name,
    t.tablename::text AS table_name,
    to_jsonb(t) -> 'attnames' AS columns,
    to_jsonb(t) ->> 'rowfilter' IS NOT NULL AS is_filtered,
    array_remove(ARRAY[
        CASE WHEN p.pubinsert THEN 'INSERT' END,
        CASE WHEN p.pubupdate THEN 'UPDATE' END,
        CASE WHEN p.pubdelete THEN 'DELETE' END,
        CASE WHEN p.pubtruncate THEN 'TRUNCATE' END
    ], NULL) AS statements
FROM pg_catalog.pg_publication_tables AS t
INNER JOIN pg_catalog.pg_publication AS p ON p.pubname = t.pubname
WHERE t.pubname::text = any(%(publications)s::text[]);

-- name: read_partitions
-- At the origin. Returns the partitions with rows of these tables, where they are partitioned: name; ancestors, the
-- names of itself and of the tables above it, each as schema and table.
-- Parameters: schemas and tables, in pairs.
SELECT
    format('%%I.%%I', n.nspname, c.relname) AS name,
    (
        SELECT jsonb_agg(jsonb_build_array(above_n.nspname, above.relname))
        FROM pg_catalog.pg_partition_ancestors(c.oid) AS a
        INNER JOIN pg_catalog.pg_class AS above ON above.oid = a.relid
        INNER JOIN pg_catalog.pg_namespace AS above_n ON above_n.oid = above.relnamespace
    ) AS ancestors
FROM unnest(%(schemas)s::text[], %(tables)s::text[]) AS t (schema_name, table_name)
INNER JOIN pg_catalog.pg_namespace AS rn ON rn.nspname = t.schema_name
INNER JOIN pg_catalog.pg_class AS root
    ON root.relnamespace = rn.oid AND root.relname = t.table_name AND root.relkind = 'p'
CROSS JOIN LATERAL pg_catalog.pg_partition_tree(root.oid) AS p
INNER JOIN pg_catalog.pg_class AS c ON c.oid = p.relid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE p.isleaf
ORDER BY name;

-- name: read_left_out
-- Returns what projector.left_out holds: table_name, reason, copy.
SELECT
    o.table_name,
    o.reason,
    o.copy
FROM projector.left_out AS o
ORDER BY o.table_name;

-- name: note_left_out
-- Parameters: tables, reasons and copies, of the same length.
INSERT INTO projector.left_out AS o (table_name, reason, copy)
SELECT *
FROM unnest(%(tables)s::text[], %(reasons)s::text[], %(copies)s::text[])
ON CONFLICT (table_name) DO UPDATE
    SET reason = excluded.reason, copy = excluded.copy
    WHERE (o.reason, o.copy) IS DISTINCT FROM (excluded.reason, excluded.copy);

-- name: forget_left_out
-- Parameter: tables.
DELETE FROM projector.left_out AS o
WHERE o.table_name = any(%(tables)s::text[]);
