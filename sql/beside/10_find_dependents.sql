-- What hangs on a table of the read model, or on the type of its rows: a view, a function, a foreign key, a trigger, a
-- rule, a policy, a publication, extended statistics, an heir, a column. It would stay with the old table, and go with
-- it.
--
-- Parameter: tables. Returns the first in words, or nothing.
-- A publication of the whole schema, or of all tables, would send the table beside under its name there, and what it
-- holds at the swap never. What the schema of the read model has itself is no matter: the table beside has it too.
WITH ours AS (
    SELECT
        c.oid,
        c.relname,
        c.relrowsecurity,
        c.reltype,
        y.typarray
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_type AS y ON y.oid = c.reltype
    WHERE c.oid = any(%(tables)s::regclass[])
),

hanging AS (
    SELECT DISTINCT
        d.classid,
        d.objid,
        d.objsubid
    FROM ours
    INNER JOIN pg_catalog.pg_depend AS d
        ON (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = ours.oid)
        OR (d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid IN (ours.reltype, ours.typarray))
)

SELECT coalesce('the view ' || v.oid::regclass, 'the ' || pg_describe_object(h.classid, h.objid, h.objsubid)) AS what
FROM hanging AS h
LEFT JOIN pg_catalog.pg_rewrite AS r ON h.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = h.objid
LEFT JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')
LEFT JOIN pg_catalog.pg_class AS c ON h.classid = 'pg_catalog.pg_class'::regclass AND c.oid = h.objid
LEFT JOIN pg_catalog.pg_constraint AS k ON h.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = h.objid
LEFT JOIN pg_catalog.pg_attrdef AS e ON h.classid = 'pg_catalog.pg_attrdef'::regclass AND e.oid = h.objid
LEFT JOIN pg_catalog.pg_trigger AS g ON h.classid = 'pg_catalog.pg_trigger'::regclass AND g.oid = h.objid
WHERE coalesce(c.relkind, 'r') NOT IN ('i', 't')
    AND NOT (k.contype IS DISTINCT FROM 'f' AND coalesce(k.conrelid = any(SELECT ours.oid FROM ours), false))
    AND NOT coalesce(e.adrelid = any(SELECT ours.oid FROM ours), false)
    AND NOT coalesce(g.tgisinternal, false)
    AND NOT (
        h.classid = 'pg_catalog.pg_type'::regclass
        AND h.objid IN (SELECT unnest(ARRAY[ours.reltype, ours.typarray]) FROM ours)
    )
UNION ALL
SELECT 'the row security of ' || ours.relname
FROM ours
WHERE ours.relrowsecurity
UNION ALL
SELECT 'a right to single columns of ' || ours.relname
FROM ours
WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = ours.oid AND a.attacl IS NOT NULL)
UNION ALL
SELECT 'the publication ' || p.pubname
FROM pg_catalog.pg_publication AS p
WHERE p.puballtables
    OR EXISTS (
        SELECT 1
        FROM pg_catalog.pg_publication_namespace AS s
        INNER JOIN pg_catalog.pg_class AS c ON c.relnamespace = s.pnnspid
        INNER JOIN ours ON ours.oid = c.oid
        WHERE s.pnpubid = p.oid
    )
LIMIT 1;
