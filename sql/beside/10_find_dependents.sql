-- What hangs on a table of the read model, or on the type of its rows: a view, a function, a foreign key, a trigger, a
-- rule, a policy, a publication, extended statistics, an heir, a column. It would stay with the old table, and go with
-- it.
--
-- Parameter: tables, their names. Returns the first in words, or nothing.
-- What belongs to the table itself is no matter, since the table beside has it too: indexes, keys, checks, defaults.
WITH ours AS (
    SELECT
        c.oid,
        c.relname,
        c.relrowsecurity,
        c.reltype,
        y.typarray
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_type AS y ON y.oid = c.reltype
    WHERE c.relnamespace = 'read_model'::regnamespace AND c.relname = any(%(tables)s::text[])
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
LIMIT 1;
