-- What hangs on a table of the read model: a view, a function, a foreign key, a trigger, a policy or a publication.
-- It would stay with the old table.
--
-- Parameter: tables, their names. Returns the first in words, or nothing.
SELECT 'the view ' || v.oid::regclass::text
FROM pg_catalog.pg_depend AS d
INNER JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid
INNER JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class
INNER JOIN pg_catalog.pg_class AS t ON t.oid = d.refobjid
WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass
    AND t.relnamespace = 'read_model'::regnamespace
    AND t.relname = any(%(tables)s::text[])
    AND v.oid <> t.oid
UNION ALL
SELECT 'the foreign key ' || k.conname || ' of ' || k.conrelid::regclass::text
FROM pg_catalog.pg_constraint AS k
INNER JOIN pg_catalog.pg_class AS t ON t.oid = k.confrelid
WHERE k.contype = 'f' AND t.relnamespace = 'read_model'::regnamespace AND t.relname = any(%(tables)s::text[])
UNION ALL
SELECT 'the function ' || d.objid::regprocedure::text
FROM pg_catalog.pg_depend AS d
INNER JOIN pg_catalog.pg_class AS t ON t.oid = d.refobjid
WHERE d.classid = 'pg_catalog.pg_proc'::regclass
    AND d.refclassid = 'pg_catalog.pg_class'::regclass
    AND t.relnamespace = 'read_model'::regnamespace
    AND t.relname = any(%(tables)s::text[])
UNION ALL
SELECT 'the trigger ' || g.tgname || ' on ' || t.relname
FROM pg_catalog.pg_trigger AS g
INNER JOIN pg_catalog.pg_class AS t ON t.oid = g.tgrelid
WHERE NOT g.tgisinternal AND t.relnamespace = 'read_model'::regnamespace AND t.relname = any(%(tables)s::text[])
UNION ALL
SELECT 'the row security of ' || t.relname
FROM pg_catalog.pg_class AS t
WHERE (t.relrowsecurity OR EXISTS (SELECT 1 FROM pg_catalog.pg_policy AS y WHERE y.polrelid = t.oid))
    AND t.relnamespace = 'read_model'::regnamespace
    AND t.relname = any(%(tables)s::text[])
UNION ALL
SELECT 'the publication ' || p.pubname
FROM pg_catalog.pg_publication_rel AS m
INNER JOIN pg_catalog.pg_publication AS p ON p.oid = m.prpubid
INNER JOIN pg_catalog.pg_class AS t ON t.oid = m.prrelid
WHERE t.relnamespace = 'read_model'::regnamespace AND t.relname = any(%(tables)s::text[])
LIMIT 1;
