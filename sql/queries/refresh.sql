-- The queries of a refresh that are not steps, and what it keeps of the changes that fail.

-- name: count_changes
-- Returns: how many changes wait.
SELECT count(*) AS changes
FROM projector.changes;

-- name: find_tables_to_analyze
-- Returns: the tables of the read model whose statistics know fewer rows than the table has pages.
SELECT c.oid::regclass::text AS table_name
FROM pg_catalog.pg_class AS c
WHERE c.relkind = 'r'
    AND c.relnamespace = 'read_model'::regnamespace
    AND pg_relation_size(c.oid) > 20 * 8192
    AND c.reltuples < pg_relation_size(c.oid) / 8192;

-- name: find_keys_to_analyze
-- Returns: the table of the keys, if its statistics know fewer rows than it has pages.
SELECT c.oid::regclass::text AS table_name
FROM pg_catalog.pg_class AS c
WHERE c.oid = 'projector.source_keys'::regclass
    AND pg_relation_size(c.oid) > 20 * 8192
    AND c.reltuples < pg_relation_size(c.oid) / 8192;
