-- What migrate and uninstall may do, and whom it belongs to. A role owns what a role that it is a member of owns.

-- name: find_foreign_tables
-- Returns table_name, as SQL writes it, and owner of each captured source table that belongs to a role whose rights
-- the login does not have. Parameter: relations, the tables with their schemas.
SELECT
    i.identity AS table_name,
    quote_ident(r.rolname) AS owner
FROM unnest(%(relations)s::text[]) WITH ORDINALITY AS t (relation, place)
INNER JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(t.relation)
INNER JOIN pg_catalog.pg_roles AS r ON r.oid = c.relowner
CROSS JOIN LATERAL pg_identify_object('pg_class'::regclass, c.oid, 0) AS i
WHERE NOT pg_has_role(c.relowner, 'USAGE')
ORDER BY t.place;

-- name: find_unreadable_tables
-- Returns the source tables that the login may not read, as SQL writes them. Parameter: relations, the tables
-- with their schemas.
SELECT i.identity AS table_name
FROM unnest(%(relations)s::text[]) WITH ORDINALITY AS t (relation, place)
CROSS JOIN LATERAL pg_identify_object('pg_class'::regclass, to_regclass(t.relation), 0) AS i
WHERE NOT has_table_privilege(to_regclass(t.relation), 'SELECT')
ORDER BY t.place;

-- name: find_schemas
-- Returns of each schema with a name of ours: schema_name, owner, is_ours (whether it holds our tables or views, or our
-- functions beside a read model in a database of its own), owned (whether the login has the rights of its owner), and
-- first_object, one that it holds; null where it is empty.
--
-- Two of three are enough, so that `migrate` can bring one back that was dropped by mistake. The schema of the
-- API's keys has one table only.
SELECT
    n.nspname::text AS schema_name,
    quote_ident(r.rolname) AS owner,
    (
        SELECT count(*) >= CASE n.nspname WHEN 'leads_access' THEN 1 ELSE 2 END
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = n.oid
            AND c.relkind = CASE n.nspname WHEN 'leads_sql' THEN 'v' ELSE 'r' END
            AND (n.nspname, c.relname) IN (
                ('projector', 'capture_triggers'), ('projector', 'capture_gaps'), ('projector', 'dead_letters'),
                ('read_model', 'projection'), ('read_model', 'freshness'), ('read_model', 'lead_profiles'),
                ('leads_access', 'api_keys'),
                ('leads_sql', 'leads'), ('leads_sql', 'messages'), ('leads_sql', 'statistics_by_day')
            )
    )
    OR (
        n.nspname = 'projector'
        AND (
            SELECT count(*) = 3
            FROM pg_catalog.pg_proc AS p
            WHERE p.pronamespace = n.oid AND p.proname IN ('canonical_phone', 'clamp_time', 'format_time')
        )
    ) AS is_ours,
    pg_has_role(n.nspowner, 'USAGE') AS owned,
    (
        SELECT o.type || ' ' || o.identity
        FROM (
            SELECT (pg_identify_object('pg_class'::regclass, c.oid, 0)).*
            FROM pg_catalog.pg_class AS c
            WHERE c.relnamespace = n.oid
            UNION ALL
            SELECT (pg_identify_object('pg_proc'::regclass, p.oid, 0)).*
            FROM pg_catalog.pg_proc AS p
            WHERE p.pronamespace = n.oid
            UNION ALL
            SELECT (pg_identify_object('pg_type'::regclass, t.oid, 0)).*
            FROM pg_catalog.pg_type AS t
            WHERE t.typnamespace = n.oid
        ) AS o
        ORDER BY o.type <> 'table', o.identity
        LIMIT 1
    ) AS first_object
FROM pg_catalog.pg_namespace AS n
INNER JOIN pg_catalog.pg_roles AS r ON r.oid = n.nspowner
WHERE n.nspname IN ('projector', 'read_model', 'leads_access', 'leads_sql')
ORDER BY schema_name;

-- name: find_foreign_objects
-- Returns command (SCHEMA, VIEW, TABLE or FUNCTION), name as SQL writes it, and owner of each schema, view, table and
-- function of ours that belongs to a role whose rights the login does not have; the schemas first, since the new
-- owner of a table has to be the owner of its schema.
--
-- Parameter: names, the qualified names of our tables, views and functions.
SELECT
    found.command,
    found.name,
    quote_ident(r.rolname) AS owner
FROM (
    SELECT
        1 AS place,
        'SCHEMA' AS command,
        quote_ident(n.nspname) AS name,
        n.nspowner AS owner_id
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname IN ('projector', 'read_model', 'leads_access', 'leads_sql')
    UNION ALL
    SELECT
        2 AS place,
        CASE WHEN c.relkind = 'v' THEN 'VIEW' ELSE 'TABLE' END AS command,
        i.identity AS name,
        c.relowner AS owner_id
    FROM pg_catalog.pg_class AS c
    CROSS JOIN LATERAL pg_identify_object('pg_class'::regclass, c.oid, 0) AS i
    WHERE c.relkind IN ('r', 'p', 'v')
        AND c.relnamespace IN (
            SELECT n.oid
            FROM pg_catalog.pg_namespace AS n
            WHERE n.nspname IN ('projector', 'read_model', 'leads_access', 'leads_sql')
        )
        AND c.relnamespace::regnamespace::text || '.' || c.relname = ANY(%(names)s::text[])
    UNION ALL
    SELECT
        3 AS place,
        'FUNCTION' AS command,
        i.identity AS name,
        p.proowner AS owner_id
    FROM pg_catalog.pg_proc AS p
    CROSS JOIN LATERAL pg_identify_object('pg_proc'::regclass, p.oid, 0) AS i
    WHERE p.pronamespace IN (
            SELECT n.oid
            FROM pg_catalog.pg_namespace AS n
            WHERE n.nspname IN ('projector', 'read_model', 'leads_access', 'leads_sql')
        )
        AND p.pronamespace::regnamespace::text || '.' || p.proname = ANY(%(names)s::text[])
) AS found
INNER JOIN pg_catalog.pg_roles AS r ON r.oid = found.owner_id
WHERE NOT pg_has_role(found.owner_id, 'USAGE')
ORDER BY found.place, found.name;

-- name: read_login
-- Returns role_name and database_name, both as SQL writes them; can_create and can_create_temporary, whether the login
-- may create schemas and temporary tables in the database.
SELECT
    quote_ident(current_user) AS role_name,
    quote_ident(current_database()) AS database_name,
    has_database_privilege(current_database(), 'CREATE') AS can_create,
    has_database_privilege(current_database(), 'TEMPORARY') AS can_create_temporary;
