-- What of others depends on the schemas of ours: what DROP SCHEMA … CASCADE would drop besides the read model.

-- name: find_dependents
-- Returns kind and name of each object that is not ours and that would go with our schemas, ordered by both.
--
-- Parameters: schemas, the schemas of ours; names, the qualified names of our tables, views and functions; columns,
-- those of our tables, as schema.table.column; described, the qualified names of the tables that have these columns.
--
-- It follows pg_depend as PostgreSQL does it for CASCADE: from an object to what depends on it, and from a part of an
-- object to the whole. A part of an object that is listed itself is left out, and so is what has no content of its own
-- and goes with a table without CASCADE: an index, a constraint or a policy on a table of ours, statistics, the
-- membership in a publication. Triggers, rules and columns that others gave our tables are listed.
WITH RECURSIVE own (class_id, object_id) AS (
    SELECT
        'pg_namespace'::regclass::oid,
        n.oid
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = ANY(%(schemas)s::text[])
    UNION ALL
    SELECT
        'pg_class'::regclass::oid,
        c.oid
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = ANY(%(schemas)s::text[]::regnamespace[])
        AND c.relnamespace::regnamespace::text || '.' || c.relname = ANY(%(names)s::text[])
    UNION ALL
    SELECT
        'pg_proc'::regclass::oid,
        p.oid
    FROM pg_catalog.pg_proc AS p
    WHERE p.pronamespace = ANY(%(schemas)s::text[]::regnamespace[])
        AND p.pronamespace::regnamespace::text || '.' || p.proname = ANY(%(names)s::text[])
),

reached (class_id, object_id, part) AS (
    SELECT
        o.class_id,
        o.object_id,
        0
    FROM own AS o
    UNION
    SELECT
        next.class_id,
        next.object_id,
        next.part
    FROM reached AS r
    CROSS JOIN LATERAL (
        SELECT
            d.classid AS class_id,
            d.objid AS object_id,
            d.objsubid AS part
        FROM pg_catalog.pg_depend AS d
        WHERE d.refclassid = r.class_id
            AND d.refobjid = r.object_id
            AND (r.part = 0 OR d.refobjsubid = r.part)
            AND d.deptype <> 'e'
        UNION ALL
        SELECT
            d.refclassid,
            d.refobjid,
            d.refobjsubid
        FROM pg_catalog.pg_depend AS d
        WHERE d.classid = r.class_id AND d.objid = r.object_id AND d.deptype = 'i'
    ) AS next
),

placed AS (
    SELECT
        r.class_id,
        r.object_id,
        r.part,
        coalesce(
            rule.ev_class, nullif(con.conrelid, 0), def.adrelid, trig.tgrelid, pol.polrelid, stat.stxrelid,
            nullif(typ.typrelid, 0), nullif(element.typrelid, 0), index.indrelid, toasted.oid, part_of.refobjid
        ) AS table_id,
        rule.rulename <> '_RETURN' OR (
            NOT trig.tgisinternal
            AND NOT (
                trig.tgname LIKE 'leads\_capture\_%%'
                AND ('pg_proc'::regclass, trig.tgfoid) IN (SELECT o.class_id, o.object_id FROM own AS o)
            )
        ) AS acts,
        trig.tgfoid IS NOT NULL AS is_trigger
    FROM reached AS r
    LEFT JOIN pg_catalog.pg_rewrite AS rule ON r.class_id = 'pg_rewrite'::regclass AND rule.oid = r.object_id
    LEFT JOIN pg_catalog.pg_constraint AS con ON r.class_id = 'pg_constraint'::regclass AND con.oid = r.object_id
    LEFT JOIN pg_catalog.pg_attrdef AS def ON r.class_id = 'pg_attrdef'::regclass AND def.oid = r.object_id
    LEFT JOIN pg_catalog.pg_trigger AS trig ON r.class_id = 'pg_trigger'::regclass AND trig.oid = r.object_id
    LEFT JOIN pg_catalog.pg_policy AS pol ON r.class_id = 'pg_policy'::regclass AND pol.oid = r.object_id
    LEFT JOIN pg_catalog.pg_statistic_ext AS stat
        ON r.class_id = 'pg_statistic_ext'::regclass AND stat.oid = r.object_id
    LEFT JOIN pg_catalog.pg_type AS typ ON r.class_id = 'pg_type'::regclass AND typ.oid = r.object_id
    LEFT JOIN pg_catalog.pg_type AS element ON element.oid = typ.typelem AND typ.typcategory = 'A'
    LEFT JOIN pg_catalog.pg_index AS index ON r.class_id = 'pg_class'::regclass AND index.indexrelid = r.object_id
    LEFT JOIN pg_catalog.pg_class AS toasted
        ON r.class_id = 'pg_class'::regclass AND toasted.reltoastrelid = r.object_id
    LEFT JOIN LATERAL (
        SELECT d.refobjid
        FROM pg_catalog.pg_depend AS d
        INNER JOIN pg_catalog.pg_class AS c ON c.oid = d.objid AND c.relkind = 'S'
        WHERE d.classid = r.class_id
            AND d.objid = r.object_id
            AND d.refclassid = 'pg_class'::regclass
            AND d.deptype IN ('a', 'i')
        LIMIT 1
    ) AS part_of ON r.class_id = 'pg_class'::regclass
),

listed AS (
    SELECT
        p.class_id,
        p.object_id,
        p.part
    FROM placed AS p
    WHERE (p.class_id, p.object_id) NOT IN (SELECT o.class_id, o.object_id FROM own AS o)
        AND p.class_id NOT IN (
            'pg_publication_rel'::regclass, 'pg_publication_namespace'::regclass, 'pg_default_acl'::regclass,
            'pg_amop'::regclass, 'pg_amproc'::regclass
        )
        -- A trigger of ours on a table of the platform goes with our triggers.
        AND (NOT p.is_trigger OR p.acts)
        AND (
            p.table_id IS NULL
            OR (
                coalesce(p.acts, false)
                OR ('pg_class'::regclass, p.table_id) NOT IN (SELECT o.class_id, o.object_id FROM own AS o)
            )
            AND NOT EXISTS (
                SELECT
                FROM reached AS whole
                WHERE whole.class_id = 'pg_class'::regclass
                    AND whole.object_id = p.table_id
                    AND whole.part = 0
                    AND (whole.class_id, whole.object_id) NOT IN (SELECT o.class_id, o.object_id FROM own AS o)
            )
        )
        -- A type of arrays goes with the type of their elements.
        AND NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_type AS element
            WHERE p.class_id = 'pg_type'::regclass AND element.typarray = p.object_id
        )
        -- A default goes with its column.
        AND NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_attrdef AS def
            INNER JOIN reached AS c
                ON c.class_id = 'pg_class'::regclass AND c.object_id = def.adrelid AND c.part = def.adnum
            WHERE p.class_id = 'pg_attrdef'::regclass AND def.oid = p.object_id
        )
        -- So does a column with a table that is listed itself, and a member with its extension.
        AND (
            p.part = 0
            OR NOT EXISTS (
                SELECT
                FROM reached AS whole
                WHERE whole.class_id = p.class_id AND whole.object_id = p.object_id AND whole.part = 0
            )
        )
        AND NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_depend AS d
            WHERE d.classid = p.class_id AND d.objid = p.object_id AND d.deptype = 'e'
        )
    UNION
    SELECT
        'pg_class'::regclass,
        a.attrelid,
        a.attnum
    FROM pg_catalog.pg_attribute AS a
    INNER JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r'
    INNER JOIN own AS o ON o.class_id = 'pg_class'::regclass AND o.object_id = c.oid
    WHERE a.attnum > 0
        AND NOT a.attisdropped
        AND c.relnamespace::regnamespace::text || '.' || c.relname = ANY(%(described)s::text[])
        AND c.relnamespace::regnamespace::text || '.' || c.relname || '.' || a.attname <> ALL(%(columns)s::text[])
)

SELECT DISTINCT
    i.type AS kind,
    i.identity AS name
FROM listed AS l
CROSS JOIN LATERAL pg_identify_object(l.class_id, l.object_id, l.part) AS i
WHERE i.identity IS NOT NULL
ORDER BY kind, name;

-- name: find_own_objects
-- Returns command (VIEW, TABLE or FUNCTION) and name, as SQL writes it, of each view, table and function of ours, and
-- dependents, the names of those of them that depend on it and have to be dropped before it.
--
-- Parameters: schemas, names, as in find_dependents.
WITH own AS (
    SELECT
        'pg_class'::regclass::oid AS class_id,
        c.oid AS object_id,
        CASE WHEN c.relkind = 'v' THEN 'VIEW' ELSE 'TABLE' END AS command
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = ANY(%(schemas)s::text[]::regnamespace[])
        AND c.relkind IN ('r', 'p', 'v')
        AND c.relnamespace::regnamespace::text || '.' || c.relname = ANY(%(names)s::text[])
    UNION ALL
    SELECT
        'pg_proc'::regclass::oid AS class_id,
        p.oid AS object_id,
        'FUNCTION' AS command
    FROM pg_catalog.pg_proc AS p
    WHERE p.pronamespace = ANY(%(schemas)s::text[]::regnamespace[])
        AND p.pronamespace::regnamespace::text || '.' || p.proname = ANY(%(names)s::text[])
),

-- A view depends by its rule, a table by its defaults, constraints and indexes; and on a table by its type.
part (class_id, object_id, whole_class_id, whole_id) AS (
    SELECT
        o.class_id,
        o.object_id,
        o.class_id,
        o.object_id
    FROM own AS o
    UNION ALL
    SELECT
        p.class_id,
        p.object_id,
        o.class_id,
        o.object_id
    FROM own AS o
    CROSS JOIN LATERAL (
        SELECT
            'pg_rewrite'::regclass::oid AS class_id,
            r.oid AS object_id
        FROM pg_catalog.pg_rewrite AS r
        WHERE r.ev_class = o.object_id
        UNION ALL
        SELECT
            'pg_attrdef'::regclass::oid AS class_id,
            d.oid
        FROM pg_catalog.pg_attrdef AS d
        WHERE d.adrelid = o.object_id
        UNION ALL
        SELECT
            'pg_constraint'::regclass::oid AS class_id,
            c.oid
        FROM pg_catalog.pg_constraint AS c
        WHERE c.conrelid = o.object_id
        UNION ALL
        SELECT
            'pg_class'::regclass::oid AS class_id,
            i.indexrelid
        FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = o.object_id
        UNION ALL
        SELECT
            'pg_type'::regclass::oid AS class_id,
            t.oid
        FROM pg_catalog.pg_type AS t
        WHERE t.typrelid = o.object_id OR t.typelem IN (
                SELECT row_type.oid
                FROM pg_catalog.pg_type AS row_type
                WHERE row_type.typrelid = o.object_id
            )
    ) AS p
    WHERE o.class_id = 'pg_class'::regclass
)

SELECT
    o.command,
    i.identity AS name,
    ARRAY(
        SELECT DISTINCT (pg_identify_object(dependent.whole_class_id, dependent.whole_id, 0)).identity
        FROM part AS p
        INNER JOIN pg_catalog.pg_depend AS d ON d.refclassid = p.class_id AND d.refobjid = p.object_id
        INNER JOIN part AS dependent ON dependent.class_id = d.classid AND dependent.object_id = d.objid
        WHERE p.whole_class_id = o.class_id
            AND p.whole_id = o.object_id
            AND (dependent.whole_class_id, dependent.whole_id) <> (o.class_id, o.object_id)
    ) AS dependents
FROM own AS o
CROSS JOIN LATERAL pg_identify_object(o.class_id, o.object_id, 0) AS i;

-- name: find_publications
-- Returns the publications that name a table or a schema of ours; those of all tables do not. Parameter: schemas.
SELECT p.pubname::text AS name
FROM pg_catalog.pg_publication AS p
WHERE p.oid IN (
        SELECT r.prpubid
        FROM pg_catalog.pg_publication_rel AS r
        INNER JOIN pg_catalog.pg_class AS c ON c.oid = r.prrelid
        WHERE c.relnamespace = ANY(%(schemas)s::text[]::regnamespace[])
    )
    OR p.oid IN (
        SELECT s.pnpubid
        FROM pg_catalog.pg_publication_namespace AS s
        WHERE s.pnnspid = ANY(%(schemas)s::text[]::regnamespace[])
    )
ORDER BY name;
