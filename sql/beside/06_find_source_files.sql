-- The files that hold the rows of the source tables, partitions included. Parameter: tables, their names.
--
-- TRUNCATE and a rewriting ALTER TABLE give a table another file, and do not heed snapshots: in an older one its rows
-- are not to be seen. Returns the oids and the files as one array.
WITH RECURSIVE source_tables AS (
    SELECT to_regclass(t.name)::oid AS oid
    FROM unnest(%(tables)s::text[]) AS t (name)
    UNION
    SELECT i.inhrelid
    FROM source_tables AS s
    INNER JOIN pg_catalog.pg_inherits AS i ON i.inhparent = s.oid
)

SELECT array_agg(s.oid || ':' || coalesce(pg_relation_filenode(s.oid), 0) ORDER BY s.oid) AS files
FROM source_tables AS s;
