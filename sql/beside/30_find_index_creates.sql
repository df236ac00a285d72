-- The commands that made the keys and indexes of the live tables. Parameter: tables, their qualified names.
--
-- The search index comes last: of all of them it takes longest.
SELECT found.command
FROM (
    SELECT
        format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
            AS command,
        0 AS place
    FROM pg_catalog.pg_constraint AS c
    WHERE c.conrelid = any(%(tables)s::regclass[]) AND c.contype = 'p'
    UNION ALL
    SELECT
        pg_get_indexdef(i.indexrelid) AS command,
        CASE WHEN a.amname = 'gin' THEN 2 ELSE 1 END AS place
    FROM pg_catalog.pg_index AS i
    INNER JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
    INNER JOIN pg_catalog.pg_am AS a ON a.oid = x.relam
    LEFT JOIN pg_catalog.pg_constraint AS c ON c.conindid = i.indexrelid
    WHERE i.indrelid = any(%(tables)s::regclass[]) AND c.oid IS NULL
) AS found
ORDER BY found.place, found.command;
