-- About how many rows each of our tables has, and how many bytes it takes with its indexes.
SELECT
    n.nspname || '.' || c.relname AS table_name,
    greatest(c.reltuples, 0)::bigint AS about_rows,
    pg_total_relation_size(c.oid) AS bytes
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname IN ('read_model', 'projector') AND c.relkind = 'r'
ORDER BY bytes DESC;
