-- The queries of `status` and the metrics, which projector/observe/status/read.py joins into one statement.
--
-- Each query is a group of the document. It returns one row: the object that the document has under the name of the
-- query. FACTS in projector/observe/status/facts.py says what is printed; columns that it does not name are for the
-- sentences on what needs attention. Durations are in seconds, and numeric: as JSON a float8 of 5 would be an integer.
--
-- Parameters of all: version, the projection version of the program; bound, where counting rows stops; shown, how many
-- are listed; role, that of the API; application_name, the prefix of the schedulers' names; classes and purposes, the
-- first keys of locks and what they are for; scheduler_class, that of the schedulers' locks; reconnecting; silent.

-- name: projection
-- The state of the read model, and how fresh it is. No row if `migrate` did not end.
SELECT
    true AS installed,
    %(version)s::text AS version,
    p.version AS built_version,
    p.built_at,
    ARRAY(SELECT jsonb_object_keys(unfilled.parts)) AS unfilled,
    ARRAY(SELECT part.value FROM jsonb_each_text(unfilled.parts) AS part) AS unfilled_in_words,
    f.as_of,
    extract(EPOCH FROM clock_timestamp() - f.as_of) AS as_of_age,
    clock_timestamp() AS read_at,
    p.found_differences,
    coalesce(
        (SELECT s.value <> '{}' FROM projector.settings AS s WHERE s.name = 'mapping'), false
    ) AS has_mapping,
    -- Kind and name, as PostgreSQL writes them, of each of our functions and views that changed since the last
    -- `migrate`.
    ARRAY(
        SELECT noted.name
        FROM projector.settings AS s
        CROSS JOIN LATERAL jsonb_each_text(s.value::jsonb) AS noted (name, digest)
        LEFT JOIN projector.definitions AS d ON d.name = noted.name
        WHERE s.name = 'definitions' AND d.digest IS DISTINCT FROM noted.digest
        ORDER BY noted.name
    ) AS replaced_definitions
FROM read_model.projection AS p
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(part.value ->> 'name', part.value ->> 'what'), '{}') AS parts
    FROM jsonb_each(p.unfilled) AS part
) AS unfilled
CROSS JOIN LATERAL (
    SELECT min(s.as_of) AS as_of
    FROM read_model.freshness AS stored
    CROSS JOIN LATERAL unnest(stored.shards) AS s (as_of)
) AS f;

-- name: capture
-- Whether changes are captured. A queue that was dropped for a rebuild is a gap too. `fills` is what a rebuild fills if
-- our own command opened the gap; `gap` is what readiness reports, `broken` what is wrong with the triggers now.
WITH found AS MATERIALIZED (
    SELECT
        p.capture_gap,
        p.gap_fills,
        (SELECT b.reason FROM projector.broken_capture AS b) AS broken,
        (SELECT s.value FROM projector.settings AS s WHERE s.name = 'capture_off') AS switched_off
    FROM read_model.projection AS p
),

state AS (
    SELECT
        CASE
            WHEN f.switched_off IS NOT NULL THEN 'off'
            WHEN f.capture_gap IS NULL AND f.broken IS NULL THEN 'intact'
            ELSE 'gap'
        END AS name,
        CASE
            WHEN f.switched_off IS NULL AND f.broken IS NULL AND f.capture_gap IS NOT NULL THEN f.gap_fills
        END AS fills
    FROM found AS f
)

SELECT
    s.name AS state,
    g.noticed_at AS gap_since,
    coalesce(f.switched_off, g.reason, f.broken) AS reason,
    s.fills,
    -- A gap that `migrate` has opened is planned, so it raises no alarm.
    CASE WHEN s.fills IS NULL THEN s.name ELSE 'filling' END AS phase,
    coalesce(f.capture_gap, f.broken) AS gap,
    f.broken
FROM found AS f
CROSS JOIN state AS s
LEFT JOIN projector.capture_gaps AS g
    ON g.gap_id = (SELECT min(open.gap_id) FROM projector.capture_gaps AS open WHERE open.healed_at IS NULL);

-- name: origin
-- If logical replication brings the source rows: what has provably arrived, and each subscription.
SELECT
    o.proved_at,
    p.feed_problem AS problem,
    o.position,
    o.failed_at,
    ARRAY({unfed_tables}) AS unfed_tables,
    ARRAY(SELECT to_json(f) FROM ({feeds}) AS f) AS subscriptions,
    o.only_row IS NOT NULL AS is_noted,
    coalesce(o.errors, 0) AS errors_at_proof
FROM read_model.projection AS p
LEFT JOIN projector.origin AS o ON true;

-- name: queue
-- The oldest change is among the first single and bulk changes of each shard: each of these lists is in the order of
-- insertion, and a piece of a mass change keeps the time of its change. The lag is 0 for a time in the future, which
-- means that the clock was set back. `late_seconds` is how long the late keys take at the pace of the last half minute.
SELECT
    least(
        late.late_keys + (
            SELECT count(*) FROM (SELECT FROM projector.changes AS c WHERE c.shard < 10 LIMIT %(bound)s) AS bounded
        ), %(bound)s
    ) AS changes,
    %(bound)s::integer AS counted_up_to,
    late.late_keys,
    late.late_tenants,
    pace.late_keys_per_second,
    CASE
        WHEN late.late_keys BETWEEN 1 AND %(bound)s - 1 THEN late.late_keys / pace.late_keys_per_second
    END AS late_seconds,
    (
        SELECT extract(EPOCH FROM greatest(clock_timestamp(), min(first.queued_at)) - min(first.queued_at))
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
    ) AS lag,
    -- The number of waiting changes of each kind that this version does not know.
    (
        SELECT coalesce(json_object_agg(of_kind.kind, of_kind.changes ORDER BY of_kind.kind), '{}')
        FROM (
            SELECT
                unknown.kind,
                count(*) AS changes
            FROM (SELECT c.kind FROM projector.changes AS c WHERE c.shard >= 10 LIMIT %(bound)s) AS unknown
            GROUP BY unknown.kind
        ) AS of_kind
    ) AS unknown_kinds
FROM (
    SELECT
        count(*) AS late_keys,
        count(DISTINCT bounded.user_id) AS late_tenants
    FROM (
        SELECT l.user_id
        FROM projector.late_keys AS l
        LIMIT %(bound)s
    ) AS bounded
) AS late
CROSS JOIN (
    SELECT sum(r.late_keys) / extract(EPOCH FROM clock_timestamp() - min(r.started_at)) AS late_keys_per_second
    FROM projector.runs AS r
    WHERE r.started_at > clock_timestamp() - interval '30 seconds' AND r.late_keys > 0
) AS pace;

-- name: schedulers
-- A scheduler is gone without having ended if its lock is free and it has noted nothing for `reconnecting` seconds, or
-- if it has noted nothing for `silent` seconds. After a restart of the server each has `silent` seconds to reconnect. A
-- gone scheduler is lost unless a later one, or cron, has taken over. `none_runs` says that certainly none runs: a lost
-- host may leave idle sessions behind, and a scheduler that is not noted, such as one of another version, shows by its
-- session.
--
-- `refreshed_age` is how long ago a refresh ended: freshness notes the clock once a second, the run log each refresh
-- that found work. A scheduler that has just begun, or whose server has, is given time. `refresh_allowed` is three
-- pauses of the refresh and 15 seconds, which is half as much again as what makes the data late; `silent` are the
-- schedulers that run and have noted nothing for so long.
WITH known AS (
    SELECT
        s.began_at,
        s.ended_at IS NULL AND gone.is_it AS is_gone,
        s.ended_at IS NULL AND NOT gone.is_it AS is_running,
        silent.seconds AS silent_seconds,
        to_json(printed) AS printed
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
                AND l.classid::bigint = %(scheduler_class)s
                AND l.objid::bigint = s.scheduler_id
                AND l.objsubid = 2
        ) AS is_held
    ) AS lock
    CROSS JOIN LATERAL (
        SELECT
            silent.seconds >= %(silent)s
            OR NOT lock.is_held
            AND NOT silent.seconds BETWEEN 0 AND %(reconnecting)s
            AND s.beat_at > pg_postmaster_start_time() AS is_it
    ) AS gone
    CROSS JOIN LATERAL (SELECT s.host, s.pid, s.began_at, s.beat_at, s.ended_at, lock.is_held) AS printed
),

cron AS (
    SELECT
        c.late_after_seconds,
        to_json(printed) AS printed
    FROM projector.cron AS c
    CROSS JOIN LATERAL (
        SELECT
            c.last_at,
            round(c.distance::numeric, 6) AS distance,
            extract(EPOCH FROM clock_timestamp() - c.last_at) AS age
    ) AS printed
)

SELECT
    (SELECT count(*) FROM known AS k WHERE k.is_running) AS running,
    seen.sessions,
    refreshed.age AS refreshed_age,
    refreshed.allowed AS refresh_allowed,
    ARRAY(SELECT k.printed FROM known AS k WHERE k.is_running ORDER BY k.began_at DESC) AS present,
    ARRAY(
        SELECT k.printed
        FROM known AS k
        WHERE k.is_running AND k.silent_seconds > refreshed.allowed
        ORDER BY k.began_at DESC
    ) AS silent,
    ARRAY(
        SELECT k.printed
        FROM known AS k
        WHERE k.began_at > ALL(SELECT there.began_at FROM known AS there WHERE NOT there.is_gone)
            AND NOT EXISTS (SELECT FROM cron)
        ORDER BY k.began_at DESC
    ) AS lost,
    (SELECT c.printed FROM cron AS c) AS cron,
    (SELECT c.late_after_seconds FROM cron AS c) AS cron_late_after_seconds,
    seen.is_all AS all_seen,
    EXISTS (SELECT FROM known) AS is_known,
    NOT EXISTS (SELECT FROM known AS k WHERE k.is_running)
    AND (EXISTS (SELECT FROM known AS k WHERE k.is_gone) OR (seen.sessions = 0 AND seen.is_all)) AS none_runs
FROM (
    SELECT
        count(*) FILTER (WHERE starts_with(a.application_name, %(application_name)s)) AS sessions,
        bool_and(a.application_name IS NOT NULL) AS is_all
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = current_database()
) AS seen
CROSS JOIN (
    SELECT
        1.5 * coalesce(p.late_after_seconds, 10)::numeric AS allowed,
        extract(
            EPOCH FROM clock_timestamp() - greatest(
                f.newest_clock,
                (SELECT r.finished_at FROM projector.runs AS r WHERE r.kind = 'refresh' ORDER BY r.run_id DESC LIMIT 1),
                (SELECT max(k.began_at) FROM known AS k WHERE k.is_running),
                pg_postmaster_start_time()
            )
        ) AS age
    FROM read_model.projection AS p
    LEFT JOIN read_model.freshness AS f ON true
) AS refreshed;

-- name: rebuild
-- Whether a rebuild runs, as its lock shows, and its run; the last run of each kind; and the other sessions that hold
-- our advisory locks, foreign ones first. `since` is when their transaction began, or the session; `is_ours`: the login
-- has the rights of the owner of our tables.
WITH holders AS (
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
),

last_runs AS (
    SELECT
        r.kind,
        r.started_at,
        r.finished_at,
        extract(EPOCH FROM coalesce(r.finished_at, clock_timestamp()) - r.started_at) AS seconds,
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
        -- Most of the log is refreshes: the newest is near its end, so that no index by kind is needed.
        (SELECT run_id FROM projector.runs WHERE kind = 'refresh' ORDER BY run_id DESC LIMIT 1)
    )
)

SELECT
    present.state,
    run.leads,
    run.leads_total,
    round(100 * run.done, 1) AS percent,
    run.done,
    run.seconds,
    (SELECT coalesce(json_object_agg(r.kind, r ORDER BY r.kind), '{}') FROM last_runs AS r) AS runs,
    ARRAY(SELECT to_json(h) FROM holders AS h ORDER BY h.is_ours, h.since, h.pid) AS lock_holders
FROM (
    SELECT
        CASE
            WHEN EXISTS (SELECT FROM holders AS h WHERE 'rebuilds' = any(h.purposes)) THEN 'running'
            WHEN EXISTS (SELECT FROM projector.sweep_positions AS s WHERE s.purpose = 'rebuild')
                OR EXISTS (SELECT FROM last_runs AS r WHERE r.kind = 'rebuild' AND r.outcome = 'running')
                THEN 'interrupted'
            ELSE 'none'
        END AS state
) AS present
LEFT JOIN LATERAL (
    SELECT
        r.leads,
        r.leads_total,
        r.seconds,
        CASE WHEN r.leads_total > 0 THEN least(r.leads::numeric / r.leads_total, 1.0) END AS done
    FROM last_runs AS r
    WHERE r.kind = 'rebuild'
        AND (
            (present.state <> 'none' AND r.outcome = 'running')
            OR (present.state = 'interrupted' AND r.outcome IN ('interrupted', 'failed'))
        )
) AS run ON true;

-- name: verify
-- The last verify of everything that has ended; the present round of the scheduler, whose `done` is less than 1 until
-- it ends; what differs from the source, the longest known first; and how much is right again, by reason.
WITH proved AS (
    SELECT
        r.started_at,
        r.finished_at,
        r.leads,
        r.left_out,
        r.differences
    FROM projector.verify_rounds AS r
    WHERE r.finished_at IS NOT NULL
    ORDER BY r.finished_at DESC
    LIMIT 1
),

present AS (
    SELECT
        part.done,
        printed.left_out,
        to_json(printed) AS printed
    FROM projector.verify_rounds AS r
    CROSS JOIN LATERAL (SELECT least(r.rows_done::numeric / greatest(r.leads_total, 1), 0.999) AS done) AS part
    CROSS JOIN LATERAL (
        SELECT
            r.started_at,
            round(r.days::numeric, 6) AS days,
            extract(EPOCH FROM clock_timestamp() - r.started_at) AS age,
            r.leads,
            r.leads_total,
            (SELECT count(*) FROM projector.verify_left_out) AS left_out,
            r.differences,
            r.failure,
            round(100 * part.done, 1) AS percent
    ) AS printed
    WHERE r.finished_at IS NULL
)

SELECT
    (SELECT p.finished_at FROM proved AS p) AS proved_at,
    (SELECT to_json(p) FROM proved AS p) AS proved,
    (SELECT p.printed FROM present AS p) AS round,
    (SELECT p.done FROM present AS p) AS done,
    coalesce((SELECT p.left_out FROM present AS p), (SELECT p.left_out FROM proved AS p)) AS left_out,
    json_build_object(
        'count', (SELECT count(*) FROM projector.drift AS d WHERE d.ended_at IS NULL),
        'first', ARRAY(
            SELECT to_json(printed)
            FROM projector.drift AS d
            LEFT JOIN read_model.tenant_names AS n ON n.user_id = d.user_id
            CROSS JOIN LATERAL (
                SELECT
                    d.kind, d.user_id, d.customer_phone, d.key, d.first_field, d.found_at, d.seen_at,
                    n.name AS tenant_name
            ) AS printed
            WHERE d.ended_at IS NULL
            ORDER BY d.found_at, d.drift_id
            LIMIT %(shown)s
        ),
        'ended', ARRAY(
            SELECT json_build_object('outcome', d.outcome, 'items', count(*), 'last_at', max(d.ended_at))
            FROM projector.drift AS d
            WHERE d.ended_at IS NOT NULL
            GROUP BY d.outcome
            ORDER BY d.outcome
        )
    ) AS drift;

-- name: row_security
-- How many tables have rows of tenants, and one whose row security differs from what `migrate` creates.
SELECT
    count(*) AS tables,
    (array_agg(s.table_name ORDER BY s.table_name) FILTER (WHERE s.problem IS NOT NULL))[1] AS unprotected,
    (array_agg(s.problem ORDER BY s.table_name) FILTER (WHERE s.problem IS NOT NULL))[1] AS problem
FROM read_model.row_security AS s;

-- name: dead_letters
-- The dead letters that failed first; those that have not yet failed by themselves come last.
SELECT
    (SELECT count(*) FROM projector.dead_letters) AS count,
    ARRAY(
        SELECT to_json(printed)
        FROM projector.dead_letters AS d
        LEFT JOIN read_model.tenant_names AS n ON n.user_id = d.user_id
        CROSS JOIN LATERAL (SELECT {columns.dead_letters of d}, n.name AS tenant_name) AS printed
        ORDER BY d.attempts = 0, d.first_failed_at, d.kind, d.key
        LIMIT %(shown)s
    ) AS first;

-- name: attributes_left_out
-- The number of leads, and of conversations, of which an attribute is left out.
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

-- name: erasures
-- The erasures that began and have not ended, including those in progress.
SELECT
    count(*) AS interrupted,
    min(e.asked_at) AS since
FROM leads_access.read_erasures() AS e
WHERE e.finished_at IS NULL AND e.user_id IS NOT NULL;

-- name: api_role
-- The role that the API takes; no row if it takes none. `unreadable` is what it may not read or call, `is_unfiltered`
-- says whether row security does not apply to it, and `database_name` is quoted for SQL.
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
    coalesce(has_database_privilege(r.oid, current_database(), 'TEMPORARY'), false) AS can_create_temporary,
    quote_ident(current_database()) AS database_name
FROM (VALUES (%(role)s::text)) AS taken (role_name)
LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = taken.role_name
-- The API reads its keys only by a function.
LEFT JOIN LATERAL (
    SELECT 'leads_access.key_of' AS unusable
    FROM to_regprocedure('leads_access.key_of(text)') AS f (id)
    -- Null, and so no row, if the schema does not exist.
    WHERE NOT (
        has_schema_privilege(r.oid, to_regnamespace('leads_access'), 'USAGE')
        AND has_function_privilege(r.oid, f.id, 'EXECUTE')
    )
) AS keys ON true
WHERE taken.role_name <> '';

-- name: notifications
-- How full the NOTIFY queue of the server is, up to 1. PostgreSQL does not say which sessions listen: `holder`
-- describes the one that has been idle in a transaction for longest, of those that the login can see: it has read
-- nothing since.
SELECT
    pg_notification_queue_usage() AS usage,
    (
        SELECT concat_ws(', ', 'process ' || a.pid, nullif(a.application_name, ''), 'role ' || a.usename)
        FROM pg_catalog.pg_stat_activity AS a
        WHERE starts_with(a.state, 'idle in transaction')
        ORDER BY a.xact_start
        LIMIT 1
    ) AS holder;

-- name: tables
-- How many tenants have or had leads; and for each of our tables about how many rows it has, and its bytes with indexes
-- and TOAST. Measuring a table would wait for a session with an ACCESS EXCLUSIVE lock on it or on one of its indexes.
-- For such a table, the size is what the catalog noted last for its rows alone.
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
    (SELECT count(*) FROM read_model.tenants) AS tenants,
    ARRAY(
        SELECT to_json(size)
        FROM pg_catalog.pg_class AS c
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (
            SELECT
                n.nspname || '.' || c.relname AS table_name,
                greatest(c.reltuples, 0)::bigint AS about_rows,
                CASE
                    WHEN c.oid IN (SELECT b.table_id FROM blocked AS b)
                        THEN c.relpages * current_setting('block_size')::bigint
                    ELSE pg_total_relation_size(c.oid)
                END AS bytes
        ) AS size
        WHERE n.nspname IN ('read_model', 'projector') AND c.relkind = 'r'
        ORDER BY size.bytes DESC
    ) AS sizes;
