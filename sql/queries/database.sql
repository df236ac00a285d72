-- The queries of projector/database/.

-- name: pin_settings
-- Gives the session these settings, except those that the server does not have. Parameters: names and settings.
SELECT set_config(wanted.name, wanted.setting, false)
FROM unnest(%(names)s::text[], %(settings)s::text[]) AS wanted (name, setting)
WHERE current_setting(wanted.name, true) IS NOT NULL;

-- name: row_as_json
-- Returns the row of a query as an object; null for no row.
SELECT to_json(of_query) FROM ({text}) AS of_query;

-- name: read_setting
-- Returns the value of a name in projector.settings; no row if it has none.
SELECT s.value
FROM projector.settings AS s
WHERE s.name = %(name)s;

-- name: note_setting
INSERT INTO projector.settings (name, value)
VALUES (%(name)s, %(value)s)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: forget_setting
DELETE FROM projector.settings
WHERE name = %(name)s;

-- Where the platform's tables are: see projector/database/source_names.py.

-- name: can_read_source_tables
-- Returns whether the login may read projector.source_tables; null if the read model is not installed. A table of this
-- name that somebody else made lacks our columns. They are looked up by their names, because the planner would look up
-- a table that to_regclass() names.
SELECT
    CASE
        WHEN has_schema_privilege(to_regnamespace('projector'), 'USAGE')
            THEN has_table_privilege(to_regclass('projector.source_tables'), 'SELECT') AND (
                SELECT count(*) = 4
                FROM pg_catalog.pg_attribute AS a
                INNER JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.relname = 'source_tables'
                INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'projector'
                WHERE a.attname IN ('table_name', 'schema_name', 'kind', 'details')
            )
    END AS can_read_source_tables;

-- name: read_source_tables
-- Returns name, schema, kind and details of each table that is read.
SELECT
    s.table_name AS name,
    s.schema_name AS schema,
    s.kind,
    s.details
FROM projector.source_tables AS s
ORDER BY s.table_name;

-- name: read_known_columns
SELECT
    s.table_name,
    ARRAY(SELECT c.column_name FROM projector.capture_columns AS c WHERE c.table_name = s.table_name) AS columns
FROM projector.source_tables AS s;

-- name: find_closed_schema
-- Returns a schema with source tables that the login may not use, and the login's role, both quoted for SQL.
SELECT
    quote_ident(n.nspname) AS schema_name,
    quote_ident(current_user) AS role_name
FROM projector.source_tables AS s
INNER JOIN pg_catalog.pg_namespace AS n ON n.nspname = s.schema_name
INNER JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = s.table_name
WHERE NOT has_schema_privilege(n.oid, 'USAGE')
LIMIT 1;

-- name: locate_source
-- Returns the name of each source table that is found, and the first of the schemas that has it.
SELECT DISTINCT ON (c.relname)
    c.relname::text AS table_name,
    n.nspname::text AS schema_name
FROM unnest(%(schemas)s::text[]) WITH ORDINALITY AS path (schema_name, place)
INNER JOIN pg_catalog.pg_namespace AS n ON n.nspname = path.schema_name
INNER JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
WHERE c.relname = ANY(%(tables)s)
ORDER BY c.relname ASC, path.place ASC;

-- Our objects: who owns them, and which are missing. See projector/database/ownership.py.

-- name: own_objects
-- Our schemas, tables, views and functions: command, the word for it in ALTER and DROP; class_id and object_id;
-- owner_id. Parameters: schemas; names, the qualified names of our tables, views and functions.
SELECT
    'SCHEMA' AS command,
    'pg_namespace'::regclass::oid AS class_id,
    n.oid AS object_id,
    n.nspowner AS owner_id
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname = ANY(%(schemas)s::text[])
UNION ALL
SELECT
    CASE WHEN c.relkind = 'v' THEN 'VIEW' ELSE 'TABLE' END AS command,
    'pg_class'::regclass::oid AS class_id,
    c.oid AS object_id,
    c.relowner AS owner_id
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = ANY(%(schemas)s::text[])
WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname || '.' || c.relname = ANY(%(names)s::text[])
UNION ALL
SELECT
    'FUNCTION' AS command,
    'pg_proc'::regclass::oid AS class_id,
    p.oid AS object_id,
    p.proowner AS owner_id
FROM pg_catalog.pg_proc AS p
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname = ANY(%(schemas)s::text[])
WHERE n.nspname || '.' || p.proname = ANY(%(names)s::text[])
    -- The triggers' functions have the names of the platform's tables.
    OR (n.nspname = 'projector' AND p.proname LIKE 'capture\_%%' AND p.prorettype = 'trigger'::regtype);

-- name: find_own_objects
-- Returns command and name of each object of `own`, the query above, as SQL writes them; owner; is_owned, whether that
-- is the login, the role that it runs as, or leads_access, which has no members; and is_trusted, whether reading it
-- gives nobody a right. The login's objects and a superuser's are trusted, and for a login that is no superuser also
-- those of the owner of the schema projector. Parameters: as above; suspects_only, whether to leave out trusted
-- objects: looking up the name of each takes longer than all the rest, and each command begins with this query.
--
-- In this order, each can be given an owner: that of a table has to be the owner of its schema. In the opposite order,
-- each can be dropped before what it depends on.
WITH me AS (
    SELECT
        array_agg(r.oid) AS roles,
        bool_or(r.rolsuper) AS is_super
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname IN (current_user, session_user)
)

SELECT
    o.command,
    i.identity AS name,
    o.owner_id::regrole::text AS owner,
    own.is_owned,
    own.is_trusted
FROM ({own}) AS o
INNER JOIN pg_catalog.pg_roles AS r ON r.oid = o.owner_id
CROSS JOIN me
CROSS JOIN LATERAL (
    SELECT o.owner_id = any(me.roles) OR coalesce(o.owner_id = to_regrole('leads_access'), false) AS is_owned
) AS by_me
CROSS JOIN LATERAL (
    SELECT
        by_me.is_owned,
        by_me.is_owned
        OR r.rolsuper
        OR (
            NOT me.is_super
            AND o.owner_id = (SELECT n.nspowner FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'projector')
        ) AS is_trusted
) AS own
CROSS JOIN LATERAL pg_identify_object(o.class_id, o.object_id, 0) AS i
WHERE NOT %(suspects_only)s::boolean OR own.is_trusted IS NOT TRUE
ORDER BY array_position(ARRAY['SCHEMA', 'TABLE', 'FUNCTION', 'VIEW'], o.command), name;

-- name: find_missing
-- Returns those of these relations, functions and columns of tables that do not exist. Parameters: names, qualified;
-- tables and columns, a table for each column.
SELECT wanted.name
FROM unnest(%(names)s::text[]) AS wanted (name)
WHERE to_regclass(wanted.name) IS NULL
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_proc AS p
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname || '.' || p.proname = wanted.name
    )
UNION ALL
SELECT wanted.name || '.' || wanted.column_name
FROM unnest(%(tables)s::text[], %(columns)s::text[]) AS wanted (name, column_name)
WHERE NOT EXISTS (
    SELECT
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = to_regclass(wanted.name) AND a.attname = wanted.column_name AND NOT a.attisdropped
);

-- The lock that a session waits for, which projector/database/lock_waits.py reports to an operator.

-- name: find_awaited_lock
-- Describes the lock that a session waits for: lock_name; holder, the session that has it or is ahead in its queue;
-- age, the longest time that session can have had it. No row while it waits for none.
--
-- Parameters: pid, the session that waits; migration and shard, the classes of advisory locks that are described by
-- name. A session can hold an advisory lock without a transaction. A prepared transaction has no session: its pid is 0.
SELECT
    CASE
        WHEN l.locktype IN ('relation', 'extend', 'page', 'tuple') THEN 'the table ' || i.identity
        WHEN l.locktype = 'advisory' AND l.classid = %(migration)s THEN 'the lock of migrate, uninstall and capture'
        WHEN l.locktype = 'advisory' AND l.classid = %(shard)s THEN 'the queue, whose changes a refresh takes'
        WHEN l.locktype IN ('transactionid', 'virtualxid') THEN 'the end of a transaction'
        ELSE 'a lock (' || l.locktype || ')'
    END AS lock_name,
    CASE
        WHEN b.pid = 0 THEN coalesce('the prepared transaction ' || quote_literal(p.gid), 'a prepared transaction')
        ELSE
            'process ' || b.pid || ' ('
            || concat_ws(', ', nullif(a.application_name, ''), 'role ' || a.usename, a.state) || ')'
    END AS holder,
    coalesce(
        'its transaction has run for ' || date_trunc('second', clock_timestamp() - a.xact_start)::text,
        'it was prepared ' || date_trunc('second', clock_timestamp() - p.prepared)::text || ' ago',
        'its session has run for ' || date_trunc('second', clock_timestamp() - a.backend_start)::text,
        'since when is hidden from this role'
    ) AS age
FROM pg_catalog.pg_locks AS l
CROSS JOIN LATERAL unnest(pg_blocking_pids(l.pid)) AS b (pid)
LEFT JOIN LATERAL pg_identify_object('pg_class'::regclass, l.relation, 0) AS i ON l.relation IS NOT NULL
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = b.pid
LEFT JOIN LATERAL (
    SELECT
        x.gid,
        x.prepared
    FROM pg_catalog.pg_prepared_xacts AS x
    INNER JOIN pg_catalog.pg_locks AS own
        ON own.locktype = 'transactionid' AND own.transactionid = x.transaction AND own.pid IS NULL
    INNER JOIN pg_catalog.pg_locks AS held
        ON held.virtualtransaction = own.virtualtransaction AND held.relation = l.relation
    WHERE b.pid = 0
    LIMIT 1
) AS p ON true
WHERE l.pid = %(pid)s AND NOT l.granted
ORDER BY coalesce(a.xact_start, p.prepared, a.backend_start)
LIMIT 1;

-- name: id_function
-- Creates the function that converts the text of an id to the platform's type. Placeholders: id, its kind; type; cast.
DROP FUNCTION IF EXISTS projector.{id}(text);
CREATE FUNCTION projector.{id}(of_key text)
RETURNS {type}
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $definition$
SELECT {cast}
$definition$;

-- name: source_function
-- Creates the function of the rows of a relation of the mapping. Placeholders: source, its name; columns; body.
DROP FUNCTION IF EXISTS projector.source_{source}();
CREATE FUNCTION projector.source_{source}()
RETURNS TABLE ({columns})
LANGUAGE sql
STABLE
AS $definition$
{body}
$definition$;

-- name: rows_of_keys
-- The keys of the rows of a relation. Placeholders: kind, of the key; id and phone, its columns; relation.
SELECT
    '{kind}' AS kind,
    r.{id}::text AS key,
    r.user_id,
    projector.canonical_phone(r.{phone}) AS customer_phone
FROM projector.source_{relation}() AS r
WHERE projector.canonical_phone(r.{phone}) IS NOT NULL AND r.user_id IS NOT NULL;

-- name: rows_of_key
-- The same for the rows with one key, which has the platform's type, so that an index of the platform can find them.
SELECT
    r.user_id,
    projector.canonical_phone(r.{phone}) AS customer_phone
FROM projector.source_{relation}() AS r
WHERE of_kind = '{kind}'
    AND r.{id} = projector.{id}(of_key COLLATE "default")
    AND projector.canonical_phone(r.{phone}) IS NOT NULL
    AND r.user_id IS NOT NULL;
