-- What `status` reads, all of it in one REPEATABLE READ transaction, and the metrics.
--
-- What each query returns is a class of projector/observe/status/results.py, with a field for each column.

-- name: read_projection
-- What the read model is, how fresh, and whether changes are captured. No row where `migrate` did not end.
--
-- A queue that was shed for a rebuild is a gap, too.
SELECT
    p.version,
    p.built_at,
    p.capture_gap,
    p.gap_fills,
    f.as_of,
    p.feed_problem,
    extract(EPOCH FROM clock_timestamp() - f.as_of)::float8 AS as_of_age,
    (SELECT b.reason FROM projector.broken_capture AS b) AS broken,
    (SELECT s.value FROM projector.settings AS s WHERE s.name = 'capture_off') AS switched_off,
    g.noticed_at AS gap_since,
    g.reason AS gap_reason,
    clock_timestamp() AS read_at,
    o.proved_at,
    coalesce(o.errors, 0) AS errors_at_proof,
    o.position::text AS origin_position,
    o.failed_at,
    o.only_row IS NOT NULL AS has_origin,
    p.found_differences,
    coalesce(
        (
            SELECT jsonb_object_agg(part.value ->> 'name', part.value ->> 'what')
            FROM jsonb_each(p.unfilled) AS part
        ), '{}'
    ) AS unfilled,
    EXISTS (SELECT FROM projector.sweep_positions AS s WHERE s.purpose = 'rebuild') AS has_rebuild,
    pg_notification_queue_usage() AS notification_queue_usage,
    -- Which sessions listen PostgreSQL does not tell. One that stands still in a transaction has read nothing since.
    (
        SELECT concat_ws(', ', 'process ' || a.pid, nullif(a.application_name, ''), 'role ' || a.usename)
        FROM pg_catalog.pg_stat_activity AS a
        WHERE starts_with(a.state, 'idle in transaction')
        ORDER BY a.xact_start
        LIMIT 1
    ) AS notification_queue_holder
FROM read_model.projection AS p
LEFT JOIN LATERAL (
    SELECT min(s.as_of) AS as_of
    FROM read_model.freshness AS stored
    CROSS JOIN LATERAL unnest(stored.shards) AS s (as_of)
) AS f ON true
LEFT JOIN projector.origin AS o ON true
LEFT JOIN projector.capture_gaps AS g
    ON g.gap_id = (SELECT min(open.gap_id) FROM projector.capture_gaps AS open WHERE open.healed_at IS NULL);

-- name: read_queue
-- Parameter: bound. The oldest is looked for among the first of each shard, single and bulk: within these the order
-- of insertion is that of the queue, and a piece of a mass change has the time of the change that it comes from. The
-- lag is 0 for a time that the clock, which was set back, has not reached.
SELECT
    least(
        late.late_keys + (
            SELECT count(*) FROM (SELECT FROM projector.changes AS c WHERE c.shard < 10 LIMIT %(bound)s) AS bounded
        ), %(bound)s
    ) AS changes,
    late.late_keys,
    late.late_tenants,
    (
        SELECT (sum(r.late_keys) / extract(EPOCH FROM clock_timestamp() - min(r.started_at)))::float8
        FROM projector.runs AS r
        WHERE r.started_at > clock_timestamp() - interval '30 seconds' AND r.late_keys > 0
    ) AS late_keys_per_second,
    (
        SELECT extract(EPOCH FROM greatest(clock_timestamp(), min(first.queued_at)) - min(first.queued_at))::float8
        FROM (
            SELECT c.queued_at
            FROM generate_series(0, 3) AS s (shard)
            CROSS JOIN (VALUES (true), (false)) AS b (bulk)
            CROSS JOIN LATERAL (
                SELECT c.queued_at
                FROM projector.changes AS c
                WHERE c.shard = s.shard AND c.bulk = b.bulk
                ORDER BY c.change_id
                LIMIT 100
            ) AS c
            UNION ALL
            (
                SELECT l.queued_at
                FROM projector.late_keys AS l
                LIMIT 1000
            )
        ) AS first
    ) AS lag
FROM (
    SELECT
        count(*) AS late_keys,
        count(DISTINCT bounded.user_id) AS late_tenants
    FROM (
        SELECT l.user_id
        FROM projector.late_keys AS l
        LIMIT %(bound)s
    ) AS bounded
) AS late;

-- name: read_unknown_kinds
-- Parameter: bound.
SELECT
    unknown.kind,
    count(*) AS changes
FROM (SELECT c.kind FROM projector.changes AS c WHERE c.shard >= 10 LIMIT %(bound)s) AS unknown
GROUP BY unknown.kind
ORDER BY unknown.kind;

-- name: read_runs
-- Returns the last run of each kind, ordered by kind.
SELECT
    r.kind,
    r.started_at,
    r.finished_at,
    extract(EPOCH FROM coalesce(r.finished_at, clock_timestamp()) - r.started_at)::float8 AS seconds,
    r.outcome,
    r.tenants,
    r.changes,
    r.leads,
    r.messages,
    r.leads_total,
    r.note
FROM projector.runs AS r
WHERE r.run_id IN (
    (SELECT max(run_id) FROM projector.runs WHERE kind = 'rebuild'),
    (SELECT max(run_id) FROM projector.runs WHERE kind = 'verify'),
    -- Refreshes are most of the log: the newest is at its end, where an index of runs of one kind is not needed.
    (SELECT run_id FROM projector.runs WHERE kind = 'refresh' ORDER BY run_id DESC LIMIT 1)
)
ORDER BY r.kind;

-- name: read_erasures
-- Those of other tenants or leads that are under way now are among them.
SELECT
    count(*) AS interrupted,
    min(e.asked_at) AS since
FROM leads_access.read_erasures() AS e
WHERE e.finished_at IS NULL AND e.user_id IS NOT NULL;

-- name: read_dead_letters
-- Returns the dead letters that failed first; those that did not fail alone yet come last. Parameter: size, how many.
SELECT
    {columns.dead_letters of d},
    count(*) OVER () AS total
FROM projector.dead_letters AS d
ORDER BY d.attempts = 0, d.first_failed_at, d.kind, d.key
LIMIT %(size)s;

-- name: read_proved_round
-- Returns the last verify of everything that has ended; no row before the first.
SELECT
    r.started_at,
    r.finished_at,
    r.leads,
    r.left_out,
    r.differences
FROM projector.verify_rounds AS r
WHERE r.finished_at IS NOT NULL
ORDER BY r.finished_at DESC
LIMIT 1;

-- name: read_present_round
-- Returns the round that the scheduler is in; no row between two. `done` is less than 1 until the round has ended.
SELECT
    r.started_at,
    r.days,
    extract(EPOCH FROM clock_timestamp() - r.started_at)::float8 AS age,
    least(r.rows_done::float8 / greatest(r.leads_total, 1), 0.999) AS done,
    r.leads,
    r.leads_total,
    (SELECT count(*) FROM projector.verify_left_out) AS left_out,
    r.differences,
    r.failure
FROM projector.verify_rounds AS r
WHERE r.finished_at IS NULL;

-- name: read_open_drift
-- Returns what differs, what was found first at the top. Parameter: size, how many.
SELECT
    d.kind,
    d.user_id,
    d.customer_phone,
    d.key,
    d.first_field,
    d.found_at,
    d.seen_at,
    count(*) OVER () AS total
FROM projector.drift AS d
WHERE d.ended_at IS NULL
ORDER BY d.found_at, d.drift_id
LIMIT %(size)s;

-- name: read_ended_drift
SELECT
    d.outcome,
    count(*) AS items,
    max(d.ended_at) AS last_at
FROM projector.drift AS d
WHERE d.ended_at IS NOT NULL
GROUP BY d.outcome
ORDER BY d.outcome;

-- name: lock_attributes
-- Fails at once while another session has these tables for itself, as a first build has.
LOCK TABLE read_model.lead_profiles, read_model.lead_conversations IN ACCESS SHARE MODE NOWAIT;

-- name: count_left_out
-- Returns of how many leads, and of how many conversations, an attribute is left out. Parameter: bound, of each.
SELECT
    (
        SELECT count(*)
        FROM (
            SELECT p.user_id FROM read_model.lead_profiles AS p WHERE p.attributes_left_out > 0 LIMIT %(bound)s
        ) AS bounded
    ) AS leads,
    (
        SELECT count(*)
        FROM (
            SELECT c.user_id FROM read_model.lead_conversations AS c WHERE c.attributes_left_out > 0 LIMIT %(bound)s
        ) AS bounded
    ) AS conversations;

-- name: count_tenants
-- Returns how many tenants have leads, or had any.
SELECT count(*) FROM read_model.tenants;

-- name: read_sizes
-- To measure a table waits while another session holds an ACCESS EXCLUSIVE lock on it or on one of its indexes, and a
-- first build holds such locks for long. Such a table has the size that the catalog noted last for its rows alone.
WITH blocked AS (
    SELECT coalesce(i.indrelid, t.oid, l.relation) AS table_id
    FROM pg_catalog.pg_locks AS l
    LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = l.relation
    LEFT JOIN pg_catalog.pg_class AS t ON t.reltoastrelid = l.relation
    WHERE l.locktype = 'relation'
        AND l.mode = 'AccessExclusiveLock'
        AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
        AND l.pid IS DISTINCT FROM pg_backend_pid()
)

SELECT
    n.nspname || '.' || c.relname AS table_name,
    greatest(c.reltuples, 0)::bigint AS about_rows,
    CASE
        WHEN c.oid IN (SELECT b.table_id FROM blocked AS b) THEN c.relpages * current_setting('block_size')::bigint
        ELSE pg_total_relation_size(c.oid)
    END AS bytes
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname IN ('read_model', 'projector') AND c.relkind = 'r'
ORDER BY bytes DESC;

-- name: read_api_role
-- Parameter: role; no row for an empty one, which is none.
SELECT
    taken.role_name AS name,
    r.oid IS NOT NULL AS exists,
    (
        SELECT coalesce(min(n.nspname || '.' || c.relname), keys.unusable)
        FROM pg_catalog.pg_class AS c
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'read_model'
        -- The API reads the views of profiles and conversations instead of the tables.
        WHERE (
            c.relkind = 'r' AND c.relname <> 'lead_profiles'
            OR c.relname IN ('lead_profiles_of_tenant', 'lead_conversations_of_tenant', 'row_security')
        )
            AND NOT (has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_table_privilege(r.oid, c.oid, 'SELECT'))
    ) AS unreadable,
    r.oid IS NOT NULL AND (
        r.rolsuper
        OR r.rolbypassrls
        OR NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_roles AS api
            WHERE api.rolname = 'leads_api' AND pg_has_role(r.oid, api.oid, 'USAGE')
        )
        OR EXISTS (
            SELECT
            FROM pg_catalog.pg_class AS c
            INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'read_model'
            WHERE c.relkind = 'r' AND pg_has_role(r.oid, c.relowner, 'USAGE')
        )
    ) AS is_unfiltered,
    coalesce(has_database_privilege(r.oid, current_database(), 'TEMPORARY'), false) AS can_create_temporary
FROM (VALUES (%(role)s::text)) AS taken (role_name)
LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = taken.role_name
-- The table of API keys is read by a function alone.
LEFT JOIN LATERAL (
    SELECT 'leads_access.key_of' AS unusable
    FROM to_regprocedure('leads_access.key_of(text)') AS f (id)
    -- Null, and so no row, where there is no such schema.
    WHERE NOT (
        has_schema_privilege(r.oid, to_regnamespace('leads_access'), 'USAGE')
        AND has_function_privilege(r.oid, f.id, 'EXECUTE')
    )
) AS keys ON true
WHERE taken.role_name <> '';

-- name: read_row_security
SELECT
    count(*) AS tables,
    (array_agg(s.table_name ORDER BY s.table_name) FILTER (WHERE s.problem IS NOT NULL))[1] AS unprotected,
    (array_agg(s.problem ORDER BY s.table_name) FILTER (WHERE s.problem IS NOT NULL))[1] AS problem,
    coalesce(bool_or(s.lets_older_api_pass), false) AS lets_older_api_pass,
    quote_ident(current_database()) AS database_name
FROM read_model.row_security AS s;

-- name: find_replaced_definitions
-- Returns kind and name, as PostgreSQL writes them, of each function and view of ours that is not as the last `migrate`
-- created it.
SELECT noted.name
FROM projector.settings AS s
CROSS JOIN LATERAL jsonb_each_text(s.value::jsonb) AS noted (name, digest)
LEFT JOIN projector.definitions AS d ON d.name = noted.name
WHERE s.name = 'definitions' AND d.digest IS DISTINCT FROM noted.digest
ORDER BY noted.name;

-- name: count_schedulers
-- Parameter: application_name, how the application names of schedulers begin.
SELECT
    count(*) FILTER (WHERE starts_with(a.application_name, %(application_name)s)) AS sessions,
    bool_and(a.application_name IS NOT NULL) AS is_all_seen
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = current_database();

-- name: read_known_schedulers
-- Returns the schedulers of projector.schedulers, the newest first. One is gone without having ended if its lock is
-- free and it has noted nothing for `reconnecting` seconds, or if it has noted nothing for `silent` seconds. After a
-- restart of the server each has `silent` seconds to connect again.
--
-- Parameters: class, the first key of their locks; reconnecting; silent.
SELECT
    s.host,
    s.pid,
    s.began_at,
    s.beat_at,
    s.ended_at,
    lock.is_held,
    s.ended_at IS NULL AND (
        silent.seconds >= %(silent)s
        OR NOT lock.is_held
        AND NOT silent.seconds BETWEEN 0 AND %(reconnecting)s
        AND s.beat_at > pg_postmaster_start_time()
    ) AS is_gone
FROM projector.schedulers AS s
CROSS JOIN LATERAL (
    SELECT extract(EPOCH FROM clock_timestamp() - greatest(s.beat_at, pg_postmaster_start_time())) AS seconds
) AS silent
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT
        FROM pg_catalog.pg_locks AS l
        WHERE l.locktype = 'advisory'
            AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
            AND l.classid::bigint = %(class)s
            AND l.objid::bigint = s.scheduler_id
            AND l.objsubid = 2
    ) AS is_held
) AS lock
ORDER BY s.began_at DESC;

-- name: read_cron
SELECT
    c.last_at,
    c.distance,
    extract(EPOCH FROM clock_timestamp() - c.last_at)::float8 AS age
FROM projector.cron AS c;

-- name: read_lock_holders
-- The sessions that are not ours come first.
--
-- Parameters: classes, the first keys of the locks, and purposes, what each of them is for.
SELECT
    l.pid,
    a.usename::text AS login,
    a.application_name AS application,
    coalesce(a.xact_start, a.backend_start) AS since,
    array_agg(DISTINCT ours.purpose ORDER BY ours.purpose) AS purposes,
    coalesce(pg_has_role(a.usesysid, q.relowner, 'USAGE'), false) AS is_ours
FROM pg_catalog.pg_locks AS l
INNER JOIN unnest(%(classes)s::bigint[], %(purposes)s::text[]) AS ours (class, purpose)
    ON ours.class = l.classid::bigint
INNER JOIN pg_catalog.pg_class AS q ON q.oid = to_regclass('projector.changes')
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory'
    AND l.granted
    AND l.objsubid = 2
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
    AND l.pid <> pg_backend_pid()
GROUP BY l.pid, a.usename, a.application_name, a.xact_start, a.backend_start, a.usesysid, q.relowner
ORDER BY is_ours ASC, since ASC, l.pid ASC;
