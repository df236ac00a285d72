-- The commands that take keys and indexes off the tables of a schema, before they are filled. Parameter: schema.
SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', c.conrelid::regclass, c.conname)
FROM pg_catalog.pg_constraint AS c
WHERE c.connamespace = %(schema)s::regnamespace AND c.contype = 'p'
UNION ALL
SELECT format('DROP INDEX %%s', i.indexrelid::regclass)
FROM pg_catalog.pg_index AS i
INNER JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
LEFT JOIN pg_catalog.pg_constraint AS c ON c.conindid = i.indexrelid
WHERE t.relnamespace = %(schema)s::regnamespace AND t.relkind = 'r' AND c.oid IS NULL;
