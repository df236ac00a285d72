-- The queries of projector/core/, and of the scheduler about the queue.

-- The queries of the pipeline about its staging tables.

-- name: find_bloated_tables
-- Returns: name of each staging table that holds more bytes, mostly deleted rows.
SELECT staging.name
FROM unnest(%(staging_tables)s::text[]) AS staging (name)
WHERE pg_relation_size(to_regclass(staging.name)) > %(truncate_above_bytes)s;

-- name: fit_staging_tables
-- Gives staged profiles the read model's type of extraction ids, which `migrate` may have widened to text.
DO $$
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_catalog.pg_attribute AS a
        INNER JOIN pg_catalog.pg_attribute AS b
            ON b.attrelid = 'pg_temp.new_lead_profiles'::regclass AND b.attname = a.attname AND b.atttypid <> a.atttypid
        WHERE a.attrelid = to_regclass('read_model.lead_profiles') AND a.attname = 'extraction_id'
    ) THEN
        ALTER TABLE pg_temp.new_lead_profiles ALTER COLUMN extraction_id TYPE text COLLATE "C";
        ALTER TABLE pg_temp.old_lead_profiles ALTER COLUMN extraction_id TYPE text COLLATE "C";
    END IF;
END
$$;

-- name: clear_staging_table
-- The pipeline joins these, one for each staging table, into one statement.
DELETE FROM pg_temp.{staging_table};

-- The queries before a run: whether the read model is installed, and whether the tenants exist.

-- name: is_installed
SELECT to_regclass('projector.changes') IS NOT NULL AS is_installed;

-- name: is_built
SELECT
FROM read_model.projection AS p
WHERE p.built_at IS NOT NULL;

-- name: read_unfilled
-- Returns the names of the parts of the read model that are not filled, and how much of the rebuild is done; else no
-- row.
SELECT
    string_agg(part.value ->> 'what', ', ' ORDER BY part.key) AS what,
    p.rebuild_done
FROM read_model.projection AS p
CROSS JOIN LATERAL jsonb_each(p.unfilled) AS part
GROUP BY p.rebuild_done;

-- name: find_source_tenants
SELECT wanted.user_id
FROM unnest(%(tenants)s::text[]) AS wanted (user_id)
WHERE EXISTS (SELECT FROM projector.source_tenants() AS t WHERE t.user_id = projector.user_id(wanted.user_id));

-- name: is_stored_tenant
SELECT
    EXISTS (SELECT FROM read_model.tenants AS t WHERE t.user_id = %(user_id)s)
    OR EXISTS (SELECT FROM read_model.leads AS l WHERE l.user_id = %(user_id)s) AS is_stored;

-- The queries of a refresh that are not steps, and those about changes that fail.

-- name: count_changes
-- Returns how many changes and late keys wait. Parameter: bound, where counting stops, so that a very deep queue is not
-- read to its end; null to count all.
SELECT count(*) AS changes
FROM (
    SELECT
    FROM projector.changes
    UNION ALL
    SELECT
    FROM projector.late_keys
    LIMIT %(bound)s
) AS bounded;

-- name: find_tables_to_analyze
-- Returns the tables, of the read model and of the keys, whose statistics have fewer rows than the table has pages.
SELECT c.oid::regclass::text AS table_name
FROM pg_catalog.pg_class AS c
WHERE c.relkind = 'r'
    AND (c.relnamespace = 'read_model'::regnamespace OR c.oid = 'projector.source_keys'::regclass)
    AND pg_relation_size(c.oid) > 20 * 8192
    AND c.reltuples < pg_relation_size(c.oid) / 8192;

-- The dead letters: keys whose refresh failed.

-- name: find_dead_letters
-- Returns: kind, key of the dead letters to try next, at most as many as the limit, or all if it is null.
--
-- The first key of every tenant comes before the second of any, so that no tenant waits for all keys of another. A key
-- that failed at a time still to come is due, because the clock was set back.
SELECT
    d.kind,
    d.key
FROM projector.dead_letters AS d
WHERE NOT %(due_only)s
    OR d.retry_at <= clock_timestamp()
    OR d.retry_at > clock_timestamp() + least(interval '10 seconds' * 2 ^ least(d.attempts - 1, 20), interval '1 hour')
ORDER BY row_number() OVER (PARTITION BY d.user_id ORDER BY d.retry_at), d.retry_at
LIMIT %(limit)s;

-- name: count_left_out
-- Returns the number of dead letters of these tenants; if the parameter is null, that of all tenants, and also the
-- number of waiting changes whose kind this version does not know.
SELECT
    count(*) FILTER (WHERE %(tenants)s::text[] IS NULL OR d.user_id = any(%(tenants)s::text[])) AS dead_letters,
    (SELECT count(*) FROM projector.changes AS c WHERE c.shard >= 10 AND %(tenants)s::text[] IS NULL) AS changes
FROM projector.dead_letters AS d;

-- name: lock_dead_letter
-- Locks a dead letter, so that two refreshes never retry it at the same time. Returns no row if another has locked it.
SELECT d.key
FROM projector.dead_letters AS d
WHERE d.kind = %(kind)s AND d.key = %(key)s
FOR UPDATE SKIP LOCKED;

-- name: stage_dead_letter
INSERT INTO taken_changes (change_id, shard, kind, keys)
VALUES (0, 0, %(kind)s, ARRAY[%(key)s]);

-- name: delete_dead_letter
DELETE FROM projector.dead_letters
WHERE kind = %(kind)s AND key = %(key)s;

-- name: limit_expansion
-- Limits how long the search for the keys that the taken changes touch may run. Parameter: statement_timeout.
SELECT set_config(
    'statement_timeout',
    CASE WHEN 'truncate' IN (SELECT t.kind FROM taken_changes AS t) THEN '0' ELSE %(statement_timeout)s END,
    true
);

-- name: read_taken_dead_letters
SELECT DISTINCT k.key
FROM taken_changes AS t
CROSS JOIN LATERAL unnest(t.keys) AS k (key)
INNER JOIN projector.dead_letters AS d ON d.key = k.key COLLATE "C";

-- The queries that read a single key, in a transaction of their own: they may fail, and have a time limit.

-- name: limit_statements
SELECT set_config('statement_timeout', %(statement_timeout)s, true);

-- name: read_lead
-- Returns the lead of a key in the source; no row if it has none there. Parameters: kind, of a dead letter; key.
SELECT
    s.user_id,
    s.customer_phone
FROM projector.change_kinds AS k
CROSS JOIN LATERAL projector.current_key(k.key_kind, %(key)s) AS s
WHERE k.change_kind = %(kind)s AND k.dead_letter_kind IS NOT NULL
LIMIT 1;

-- name: examine_rows
-- Reads every column of the rows that a relation of the mapping has for these keys. Returns the key that most rows
-- have, and rows, how many have it. Placeholders: relation; id, its column with the keys; own_key, its own key.
SELECT
    r.{own_key}::text AS key,
    count(*) AS rows,
    sum(length(r::text)) AS size
FROM (SELECT DISTINCT k.key FROM unnest(%(keys)s::text[]) AS k (key)) AS wanted
CROSS JOIN LATERAL (
    SELECT s.*
    FROM projector.source_{relation}() AS s
    WHERE s.{id} = projector.{id}(wanted.key)
    OFFSET 0
) AS r
GROUP BY r.{own_key}
ORDER BY rows DESC, key ASC
LIMIT 1;

-- name: find_ids
-- Returns ids, the own keys of the rows that a relation has for a key. Placeholders: as above.
SELECT coalesce(array_agg(r.{own_key}::text), '{}') AS ids
FROM projector.source_{relation}() AS r
WHERE r.{id} = projector.{id}(%(key)s);

-- name: read_keys_of_source
SELECT r.{id}::text AS key
FROM projector.source_{relation}() AS r;

-- name: examine_touched
SELECT count(t.key) AS rows
FROM unnest(%(keys)s::text[]) AS wanted (key)
CROSS JOIN LATERAL projector.touched_keys(%(kind)s, wanted.key) AS t;

-- name: read_keys_of_lead
-- Returns some keys that a lead is known to have: kind and key, as a dead letter has them.
SELECT
    kinds.dead_letter_kind AS kind,
    sk.key
FROM projector.source_keys AS sk
INNER JOIN projector.change_kinds AS kinds ON kinds.key_kind = sk.kind AND kinds.change_kind = kinds.dead_letter_kind
WHERE sk.user_id = %(user_id)s AND sk.customer_phone = %(customer_phone)s
LIMIT 20;

-- name: set_aside
-- Sets a key aside with its error. It is retried after a pause that doubles from ten seconds up to an hour. A key that
-- neither the source nor projector.source_keys has any more is not set aside: there is nothing left to project, and the
-- row that failed may have been erased. The source is not read here, because reading the row may be what fails.
-- Parameters: kind, key, error; user_id and customer_phone, its lead in the source, null if it has none or is not
-- known, in which case the lead in projector.source_keys counts; is_there, whether the source has the key, or cannot be
-- read.
INSERT INTO projector.dead_letters AS d (
    kind, key, user_id, customer_phone, error, attempts, first_failed_at, retry_at
)
SELECT
    %(kind)s::text,
    failed.key,
    coalesce(%(user_id)s::text, known.user_id),
    CASE WHEN %(user_id)s::text IS NULL THEN known.customer_phone ELSE %(customer_phone)s::text END,
    %(error)s::text,
    1,
    statement_timestamp(),
    clock_timestamp() + interval '10 seconds'
FROM (VALUES (%(key)s::text)) AS failed (key)
LEFT JOIN projector.change_kinds AS kinds ON kinds.change_kind = %(kind)s AND kinds.dead_letter_kind IS NOT NULL
LEFT JOIN projector.source_keys AS known ON known.kind = kinds.key_kind AND known.key = failed.key
WHERE %(is_there)s OR known.user_id IS NOT NULL
ON CONFLICT (kind, key) DO UPDATE SET
    user_id = coalesce(excluded.user_id, d.user_id),
    customer_phone = CASE WHEN excluded.user_id IS NULL THEN d.customer_phone ELSE excluded.customer_phone END,
    error = excluded.error,
    attempts = d.attempts + 1,
    retry_at = clock_timestamp() + least(interval '10 seconds' * 2 ^ least(d.attempts, 20), interval '1 hour')
RETURNING user_id;

-- name: set_malformed_keys_aside
-- Sets aside the taken keys that cannot be ids of the platform, for example because the type of its ids has changed
-- since. A batch leaves them out, and a retry finds no source row. Returns their number.
WITH set_aside AS (
    INSERT INTO projector.dead_letters (
        kind, key, user_id, customer_phone, error, attempts, first_failed_at, retry_at
    )
    SELECT DISTINCT
        kinds.dead_letter_kind,
        k.key,
        sk.user_id,
        sk.customer_phone,
        'not a valid id of the platform''s column type',
        1,
        statement_timestamp(),
        statement_timestamp() + interval '10 seconds'
    FROM taken_changes AS t
    CROSS JOIN LATERAL unnest(t.keys) AS k (key)
    INNER JOIN projector.change_kinds AS kinds ON kinds.change_kind = t.kind AND kinds.dead_letter_kind IS NOT NULL
    LEFT JOIN projector.source_keys AS sk ON sk.kind = kinds.key_kind AND sk.key = k.key
    WHERE k.key IS NOT NULL AND NOT projector.is_key(t.kind, k.key)
    ON CONFLICT (kind, key) DO NOTHING
    RETURNING 1
)

SELECT count(*) AS keys
FROM set_aside;

-- name: follow_dead_letters
-- Notes the present lead of the dead letters of the taken keys: that of the source, or else that in
-- projector.source_keys. Their changes are left out until they are retried. Returns a row for each that moved.
-- Parameter: key, the only one of them; null for all.
UPDATE projector.dead_letters AS d
SET user_id = lead.user_id, customer_phone = lead.customer_phone
FROM (
    SELECT DISTINCT
        kinds.dead_letter_kind,
        kinds.key_kind,
        k.key
    FROM taken_changes AS t
    CROSS JOIN LATERAL unnest(t.keys) AS k (key)
    INNER JOIN projector.change_kinds AS kinds ON kinds.change_kind = t.kind AND kinds.dead_letter_kind IS NOT NULL
    INNER JOIN projector.dead_letters AS d ON d.kind = kinds.dead_letter_kind AND d.key = k.key COLLATE "C"
    WHERE %(key)s::text IS NULL OR k.key = %(key)s::text
) AS taken
CROSS JOIN LATERAL (
    SELECT
        leads.user_id,
        leads.customer_phone
    FROM (
        SELECT
            s.user_id,
            s.customer_phone,
            1 AS place
        FROM projector.current_key(taken.key_kind, taken.key) AS s
        UNION ALL
        SELECT
            sk.user_id,
            sk.customer_phone,
            2
        FROM projector.source_keys AS sk
        WHERE sk.kind = taken.key_kind AND sk.key = taken.key COLLATE "C"
    ) AS leads
    ORDER BY leads.place
    LIMIT 1
) AS lead
WHERE d.kind = taken.dead_letter_kind
    AND d.key = taken.key COLLATE "C"
    AND (d.user_id, d.customer_phone) IS DISTINCT FROM (lead.user_id, lead.customer_phone)
RETURNING 1;

-- name: count_dead_letters
-- Returns the number of dead letters of each tenant that has some: of its leads in the source, and in the read model.
SELECT
    coalesce(array_agg(counted.user_id), '{}') AS user_ids,
    coalesce(array_agg(counted.number), '{}') AS numbers
FROM (
    SELECT
        concerned.user_id,
        count(*) AS number
    FROM projector.dead_letters AS d
    INNER JOIN projector.change_kinds AS kinds ON kinds.change_kind = d.kind AND kinds.dead_letter_kind IS NOT NULL
    CROSS JOIN LATERAL (
        SELECT d.user_id
        WHERE d.user_id IS NOT NULL
        UNION
        SELECT sk.user_id
        FROM projector.source_keys AS sk
        WHERE sk.kind = kinds.key_kind AND sk.key = d.key
    ) AS concerned
    GROUP BY concerned.user_id
) AS counted;

-- name: write_counts
-- Writes the number of dead letters into the row of each tenant that has some, where the API reads it.
INSERT INTO read_model.tenants AS t (user_id, dead_letters)
SELECT
    d.user_id,
    d.number
FROM unnest(%(user_ids)s::text[], %(numbers)s::bigint[]) AS d (user_id, number)
ON CONFLICT (user_id) DO UPDATE SET dead_letters = excluded.dead_letters
WHERE t.dead_letters <> excluded.dead_letters;

-- name: clear_counts
-- Writes 0 into the row of each tenant that has no dead letter any more.
UPDATE read_model.tenants AS t
SET dead_letters = 0
WHERE t.dead_letters <> 0 AND t.user_id <> all(%(user_ids)s::text[]);

-- If a session waits for a read of the projector, projector/core/blocking.py cancels the read.

-- name: find_waiter
-- Returns table_name and session_name, in words, of a session that waits for a table that this session holds. Our own
-- tables and the catalogs do not count: sessions that use the read model are not the platform's.
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

-- The late keys: those of mass changes whose leads have been found.

-- name: has_late_keys
SELECT EXISTS (SELECT FROM projector.late_keys) AS has_late_keys;

-- name: share_late_keys
-- Returns whether this transaction may take late keys: it may unless another session has locked the whole queue.
SELECT pg_try_advisory_xact_lock_shared(%(shard_class)s, %(late_keys)s) AS is_shared;

-- name: find_late_tenant
-- Returns the next tenant, from a given one on, that has late keys and that no other session works on; null if none.
-- Parameters: user_id, of that tenant; late_class, the first key of the locks on late tenants.
--
-- Each step of the recursion is one look-up in the index, however many keys a tenant has.
WITH RECURSIVE late AS (
    (
        SELECT l.user_id
        FROM projector.late_keys AS l
        WHERE l.user_id >= %(user_id)s
        ORDER BY l.user_id
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT n.user_id
        FROM projector.late_keys AS n
        WHERE n.user_id > late.user_id
        ORDER BY n.user_id
        LIMIT 1
    )
    FROM late
    WHERE late.user_id IS NOT NULL
)

SELECT (
    SELECT late.user_id
    FROM late
    WHERE CASE
        WHEN late.user_id IS NULL THEN false ELSE pg_try_advisory_xact_lock(%(late_class)s, hashtext(late.user_id))
    END
    LIMIT 1
) AS user_id;

-- name: read_taken_keys
-- Returns: kind and key, as a dead letter has them, of each taken key that has no dead letter.
SELECT DISTINCT
    coalesce(kinds.dead_letter_kind, t.kind) AS kind,
    k.key
FROM taken_changes AS t
CROSS JOIN LATERAL unnest(t.keys) AS k (key)
LEFT JOIN projector.change_kinds AS kinds ON kinds.change_kind = t.kind
LEFT JOIN projector.dead_letters AS d ON d.kind = coalesce(kinds.dead_letter_kind, t.kind) AND d.key = k.key COLLATE "C"
WHERE k.key IS NOT NULL AND d.key IS NULL;

-- name: read_moment
-- Returns the moment up to which these shards were drained; before the first build 1970, which claims nothing.
SELECT coalesce(min(s.as_of), 'epoch') AS moment
FROM read_model.freshness AS f
CROSS JOIN LATERAL unnest(f.shards) WITH ORDINALITY AS s (as_of, place)
WHERE s.place - 1 = any(%(shards)s::smallint[]);

-- name: lower_late_moments
-- Does the same as 1_take/25_lower_moments.sql for the late tenants.
UPDATE read_model.tenants
SET late_as_of = 'epoch'
WHERE late_as_of > 'epoch';

-- name: hold_set_backs
-- Returns set_backs of freshness, and makes sessions that want to raise it wait until this transaction commits.
SELECT f.set_backs
FROM read_model.freshness AS f
FOR SHARE;

-- name: find_late_tenants
SELECT t.user_id
FROM read_model.tenants AS t
WHERE t.late_as_of IS NOT NULL
ORDER BY t.user_id;

-- name: find_done_tenants
-- Returns those of these tenants that have no late keys. This transaction owns all shards, so no tenant becomes late
-- meanwhile. While a gap is open, it returns none: late keys may have been dropped for the rebuild that closes the gap.
SELECT one.user_id
FROM unnest(%(user_ids)s::text[]) AS one (user_id)
WHERE NOT EXISTS (SELECT FROM projector.late_keys AS l WHERE l.user_id = one.user_id)
    AND NOT EXISTS (SELECT FROM projector.capture_gaps AS g WHERE g.healed_at IS NULL);

-- name: end_lateness
UPDATE read_model.tenants
SET late_as_of = NULL
WHERE user_id = any(%(user_ids)s::text[]);

-- name: has_changes
-- Returns whether a change or a late key waits. This cheap check takes some tens of microseconds.
SELECT EXISTS (
    SELECT
    FROM projector.changes AS c
    WHERE c.shard = any(%(shards)s::smallint[])
) OR EXISTS (SELECT FROM projector.late_keys) AS has_changes;

-- name: look
-- Checks everything that a batch checks.
--
-- Parameters: shard_class and shards, as for 1_take/10_own_shards.sql; least_clock, as for 1_take/20_open_batch.sql.
-- Returns: what projector.queue_state has; has_changes, whether changes wait; has_unknown, whether some were put aside,
-- because this version does not know their kind; has_dead_letters, whether there are dead letters; is_set_back, clock
-- and set_backs as in 20_open_batch.sql; has_old_clock, whether freshness has not noted the clock for a second;
-- fresh_until, to which moment freshness may move if capture is intact, null if it may not; is_fed, whether logical
-- replication brings the rows of source tables, or did. Nothing here can tell which rows have not arrived yet, so
-- freshness ends at the moment in projector.provable.
--
-- The clock is read before the snapshot of this statement. Everything committed before that was captured, unless there
-- is a gap. If the snapshot shows an empty queue, committed refreshes have brought all of it into the read model: a
-- refresh in progress leaves its changes in the queue until it commits. Before the first build has ended, freshness has
-- no row to move.
SELECT
    looked.*,
    clock_timestamp() AS clock,
    CASE
        WHEN looked.has_changes OR looked.freshness_frozen OR looked.has_unknown OR NOT looked.owns_all THEN NULL
        ELSE looked.provable_until
    END AS fresh_until
FROM (
    SELECT
        state.*,
        EXISTS (SELECT FROM projector.feeds) OR EXISTS (SELECT FROM projector.origin) AS is_fed,
        EXISTS (
            SELECT
            FROM read_model.freshness AS f
            WHERE clock_timestamp() < any(f.shards || f.newest_clock || %(least_clock)s::timestamptz)
        ) AS is_set_back,
        EXISTS (
            SELECT
            FROM read_model.freshness AS f
            WHERE f.newest_clock <= clock_timestamp() - interval '1 s'
        ) AS has_old_clock,
        (SELECT f.set_backs FROM read_model.freshness AS f) AS set_backs,
        EXISTS (
            SELECT
            FROM projector.changes AS c
            WHERE c.shard = any(%(shards)s::smallint[])
        ) AS has_changes,
        EXISTS (SELECT FROM projector.changes AS c WHERE c.shard >= 10) AS has_unknown,
        EXISTS (SELECT FROM projector.dead_letters) AS has_dead_letters,
        (
            SELECT bool_and(pg_try_advisory_xact_lock(%(shard_class)s, wanted.shard))
            FROM unnest(%(shards)s::smallint[]) AS wanted (shard)
        ) AS owns_all
    FROM projector.queue_state AS state
    OFFSET 0
) AS looked;

-- name: look_and_advance
-- Does the same as look, which is {looked}, and moves freshness if nothing waits and capture is intact. It is one
-- statement in a transaction of its own.
--
-- Parameters: those of look; version, what this program installs; at_least, how old freshness is before it
-- is moved. Before it, 1_take/25_lower_moments.sql has to lower moments from before the clock was set back.
WITH looked AS MATERIALIZED ({looked}),

moved AS (
    UPDATE read_model.freshness AS f
    SET as_of = CASE WHEN EXISTS (SELECT FROM projector.late_keys) THEN f.as_of ELSE looked.fresh_until END,
        shards = array_fill(looked.fresh_until, ARRAY[cardinality(f.shards)]),
        newest_clock = looked.clock
    FROM looked
    WHERE looked.fresh_until IS NOT NULL
        AND looked.gap IS NULL
        AND looked.migrated_version = %(version)s
        AND NOT looked.is_set_back
        AND f.set_backs = looked.set_backs
        AND (SELECT min(s.as_of) FROM unnest(f.shards) AS s (as_of)) + %(at_least)s::interval <= looked.fresh_until
)

SELECT l.*
FROM looked AS l;

-- name: is_older
-- Returns whether the row of freshness would change. Parameters: as for 9_finish/20_advance_freshness.sql.
SELECT
    coalesce(
        bool_or(
            f.newest_clock <= %(clock)s - interval '1 s'
            OR (s.place - 1 = any(%(shards)s::smallint[]) AND s.as_of + %(at_least)s::interval <= %(fresh_until)s)
        ),
        false
    ) AS is_older
FROM read_model.freshness AS f
CROSS JOIN LATERAL unnest(f.shards) WITH ORDINALITY AS s (as_of, place);

-- name: stage_tenant
INSERT INTO stale_tenants (user_id)
VALUES (%(user_id)s);

-- name: find_source_files
-- Returns: files, the files that hold the rows of the source tables, partitions included. Parameter: relations, the
-- names of the tables with their schemas. TRUNCATE, and an ALTER TABLE that rewrites a table, give it another file and
-- ignore snapshots: an older snapshot does not see its rows.
WITH RECURSIVE source_tables AS (
    SELECT to_regclass(t.relation)::oid AS oid
    FROM unnest(%(relations)s::text[]) AS t (relation)
    UNION
    SELECT i.inhrelid
    FROM source_tables AS s
    INNER JOIN pg_catalog.pg_inherits AS i ON i.inhparent = s.oid
)

SELECT array_agg(s.oid || ':' || coalesce(pg_relation_filenode(s.oid), 0) ORDER BY s.oid) AS files
FROM source_tables AS s;
