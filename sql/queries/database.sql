-- What projector/database asks.

-- Where the platform's tables are: see projector/database/source_names.py.

-- name: can_read_source_tables
-- Returns whether the login may read projector.source_tables; null where the read model is not installed. A table of
-- this name that somebody else made lacks our columns, which are found by names: the planner, too, looks a table up
-- that to_regclass() names.
SELECT
    CASE
        WHEN has_schema_privilege(to_regnamespace('projector'), 'USAGE')
            THEN has_table_privilege(to_regclass('projector.source_tables'), 'SELECT') AND (
                SELECT count(*) = 2
                FROM pg_catalog.pg_attribute AS a
                INNER JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.relname = 'source_tables'
                INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'projector'
                WHERE a.attname IN ('table_name', 'schema_name')
            )
    END AS can_read_source_tables;

-- name: read_source_tables
SELECT
    s.table_name,
    s.schema_name
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

-- What a session waits for: projector/database/lock_waits.py tells it to an operator.

-- name: find_awaited_lock
-- Returns of the lock that a session waits for, all in words: lock_name; holder, the session that has it or is before
-- this one in its queue; age, for how long that session can have had it. No row while it waits for none.
--
-- Parameters: pid, the session that waits; migration and shard, the classes of advisory locks that have words of their
-- own. A session can hold an advisory lock without a transaction. A prepared transaction has no session: its pid is 0.
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

-- name: stored_rows
-- The rows that the read model has of leads, as {stored.TABLE of LEADS} puts them in. Placeholders: table; leads, which
-- are staged.
SELECT {columns.table of stored}
FROM {leads} AS l
CROSS JOIN LATERAL (
    SELECT stored.*
    FROM read_model.{table} AS stored
    WHERE stored.user_id = l.user_id AND stored.customer_phone = l.customer_phone
    {tenants} {fence}
) AS stored;

-- name: source_function
-- Creates the function of the rows of a table of the platform. Placeholders: source, the table; columns; body.
DROP FUNCTION IF EXISTS projector.source_{source}();
CREATE FUNCTION projector.source_{source}()
RETURNS TABLE ({columns})
LANGUAGE sql
STABLE
AS $definition$
{body}
$definition$;
REVOKE EXECUTE ON FUNCTION projector.source_{source}() FROM public;
