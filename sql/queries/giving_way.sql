-- Who waits for a read of ours: projector/core/giving_way.py cancels the read then.

-- name: find_waiter
-- Returns table_name and session_name, in words, of a session that waits for a table that this session holds. Neither
-- our own tables nor the catalogs count: a reader of the read model is no statement of the platform.
--
-- Parameter: pid, the session that reads.
WITH locks AS MATERIALIZED (
    SELECT
        l.pid,
        l.database,
        l.relation,
        l.granted
    FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'relation' AND (l.pid = %(pid)s OR NOT l.granted)
)

SELECT
    i.identity AS table_name,
    'process ' || w.pid || coalesce(
        ' (' || nullif(concat_ws(', ', nullif(a.application_name, ''), 'role ' || a.usename), '') || ')', ''
    ) AS session_name
FROM locks AS h
INNER JOIN locks AS w ON w.database = h.database AND w.relation = h.relation AND NOT w.granted
INNER JOIN pg_catalog.pg_class AS c ON c.oid = h.relation
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_identify_object('pg_class'::regclass, c.oid, 0) AS i
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = w.pid
WHERE h.pid = %(pid)s
    AND h.granted
    AND n.nspname NOT IN ('projector', 'read_model', 'pg_catalog')
    AND %(pid)s = any(pg_blocking_pids(w.pid))
LIMIT 1;
