-- The queries of a sweep that are not steps: its position and its run, pieces, rounds, drift, and recovery.

-- name: read_clock
SELECT clock_timestamp() AS now;

-- name: read_position
SELECT
    p.started_at,
    p.phase,
    ARRAY[p.after_first, p.after_second] AS after,
    p.parts
FROM projector.sweep_positions AS p
WHERE p.purpose = %(purpose)s AND p.version = %(version)s;

-- name: begin_sweep
-- Parameters: parts, the present parts of the read model.
INSERT INTO projector.sweep_positions AS p (purpose, version, phase, parts)
VALUES (%(purpose)s, %(version)s, %(phase)s, %(parts)s)
RETURNING p.started_at, p.phase, ARRAY[p.after_first, p.after_second] AS after, p.parts;

-- name: read_parts
SELECT jsonb_object_keys(p.parts) AS part
FROM read_model.projection AS p;

-- name: move_sweep
UPDATE projector.sweep_positions
SET phase = %(phase)s, after_first = %(after_first)s, after_second = %(after_second)s
WHERE purpose = %(purpose)s AND version = %(version)s;

-- name: note_rebuild_done
-- Notes for the API how much of a rebuild of everything is done. Parameter: more, the increase; null at the beginning.
UPDATE read_model.projection AS p
SET rebuild_done = CASE WHEN %(more)s::real IS NULL THEN 0 ELSE least(p.rebuild_done + %(more)s, 0.99) END;

-- name: read_rebuild_done
SELECT p.rebuild_done
FROM read_model.projection AS p;

-- name: forget_sweep
DELETE FROM projector.sweep_positions
WHERE purpose = %(purpose)s;

-- name: open_run
INSERT INTO projector.runs (kind, started_at, tenants)
VALUES (%(kind)s, clock_timestamp(), %(tenants)s)
RETURNING run_id;

-- name: expect_leads
UPDATE projector.runs
SET leads_total = %(leads_total)s
WHERE run_id = %(run_id)s;

-- name: add_to_run
UPDATE projector.runs
SET leads = leads + %(leads)s, messages = messages + %(messages)s
WHERE run_id = %(run_id)s;

-- name: close_run
-- Parameters: run_id, outcome, note; leads, null if they were added already.
UPDATE projector.runs
SET outcome = %(outcome)s,
    note = %(note)s,
    leads = coalesce(%(leads)s, leads),
    finished_at = clock_timestamp()
WHERE run_id = %(run_id)s;

-- name: empty_table
DELETE FROM {table};

-- name: find_index_commands
-- Returns drop_command and create_command of each index of the tables that enforces no constraint. Unique indexes stay,
-- because rows are written by their keys. Parameter: tables, their qualified names. The search index comes last: it
-- takes longest.
SELECT
    format('DROP INDEX %%s', i.indexrelid::regclass) AS drop_command,
    pg_get_indexdef(i.indexrelid) AS create_command,
    CASE WHEN a.amname = 'gin' THEN 2 ELSE 1 END AS place
FROM pg_catalog.pg_index AS i
INNER JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
INNER JOIN pg_catalog.pg_am AS a ON a.oid = x.relam
WHERE i.indrelid = any(%(tables)s::regclass[])
    AND NOT i.indisunique
    AND NOT i.indisexclusion
ORDER BY place, create_command;

-- name: end_tokens
-- Raises the versions of all tenants, and ends the tokens of their change feeds: a first build also writes rows that
-- had been deleted. Citus refuses a volatile function here, so the new ids are computed from `random`.
--
-- Parameter: random, a text.
UPDATE read_model.tenants
SET version = version + 1,
    version_id = md5('version' || user_id || %(random)s)::uuid,
    epoch = md5('epoch' || user_id || %(random)s)::uuid,
    pruned_version = 0,
    pruned_status_version = 0,
    dead_letters = 0,
    late_as_of = NULL;

-- name: leave_keys
-- Queues the keys that make a lead as late keys.
INSERT INTO projector.late_keys (user_id, customer_phone, kind, key, queued_at)
SELECT
    k.user_id,
    k.customer_phone,
    kinds.dead_letter_kind,
    k.key,
    now()
FROM projector.source_keys AS k
INNER JOIN projector.change_kinds AS kinds ON kinds.key_kind = k.kind AND kinds.change_kind = kinds.dead_letter_kind
WHERE k.user_id = %(user_id)s AND k.customer_phone = %(customer_phone)s AND k.kind IN ({kinds.of_lead_makers});

-- name: tell_listeners
-- Notifies the listening APIs that everything may have changed, once this transaction commits.
SELECT pg_notify('leads', '*')
WHERE pg_notification_queue_usage() <= 0.9;

-- name: note_built
-- Notes that a build of everything has ended, and that it has filled `parts`, the parts of the read model that existed
-- when it began.
UPDATE read_model.projection AS p
SET version = %(version)s,
    built_at = now(),
    is_history_built = true,
    rebuild_done = NULL,
    filled = ARRAY(
        SELECT part.name
        FROM jsonb_object_keys(p.parts) AS part (name)
        WHERE part.name = any(%(parts)s::text[] || p.filled)
        ORDER BY part.name COLLATE "C"
    );

-- name: begin_freshness
-- Creates the row of freshness, with a time for every shard: a shard without one would get the times of the others.
--
-- It begins at since, before which everything is contained. If logical replication brings the rows of source tables,
-- that moment proves nothing, and the next check finds what is proved. Parameters: since; shards, their number.
INSERT INTO read_model.freshness (as_of, shards)
SELECT
    began.at,
    array_fill(began.at, ARRAY[%(shards)s])
FROM (
    SELECT CASE WHEN p.until < 'infinity' THEN 'epoch'::timestamptz ELSE %(since)s::timestamptz END AS at
    FROM projector.provable AS p
) AS began
ON CONFLICT DO NOTHING;

-- name: find_leads_in
-- Returns user_id and customer_phone of the next leads that a relation has, in the order of an index that begins with
-- the lead. Parameters: those of the condition; size.
SELECT DISTINCT
    r.user_id,
    r.customer_phone
FROM {relation} AS r
WHERE {condition}
ORDER BY r.user_id, r.customer_phone
LIMIT %(size)s;

-- name: sort_leads
-- Returns the first of the leads that several of these queries found.
SELECT f.*
FROM ({leads}) AS f
ORDER BY f.user_id, f.customer_phone
LIMIT %(size)s;

-- name: keys_of_leads
SELECT k.*
FROM projector.source_keys AS k
WHERE k.kind IN ({kinds.of_lead_makers});

-- name: find_leads_left
-- Returns user_id and customer_phone of these leads in the same order, without those that were missing completely.
SELECT
    l.user_id,
    l.customer_phone
FROM unnest(%(user_ids)s::text[], %(customer_phones)s::text[]) WITH ORDINALITY AS l (user_id, customer_phone, place)
LEFT JOIN missing_leads AS m ON m.user_id = l.user_id AND m.customer_phone = l.customer_phone
WHERE m.user_id IS NULL
ORDER BY l.place;

-- name: find_served_tenants
-- Returns the tenants with late keys that also have a key in the key table.
SELECT late.user_id
FROM (SELECT DISTINCT l.user_id FROM projector.late_keys AS l) AS late
WHERE EXISTS (SELECT FROM projector.source_keys AS k WHERE k.user_id = late.user_id);

-- name: sample_leads
-- Returns user_id and customer_phone of at most so many leads of the key table and of the read model, chosen at random.
-- Parameters: size; tenants, null for all.
SELECT
    leads.user_id,
    leads.customer_phone
FROM (
    SELECT
        k.user_id,
        k.customer_phone
    FROM projector.source_keys AS k
    WHERE k.kind IN ({kinds.of_lead_makers})
    UNION
    SELECT
        l.user_id,
        l.customer_phone
    FROM read_model.leads AS l
) AS leads
WHERE %(tenants)s::text[] IS NULL OR leads.user_id = any(%(tenants)s::text[])
ORDER BY random()
LIMIT %(size)s;

-- name: count_new_messages
SELECT count(*) AS messages
FROM new_messages;

-- name: read_tenants
SELECT t.user_id
FROM read_model.tenants AS t
ORDER BY t.user_id;

-- name: count_stored_leads
SELECT count(*) AS leads
FROM read_model.leads AS l
WHERE %(tenants)s::text[] IS NULL OR l.user_id = any(%(tenants)s::text[]);

-- name: count_keyed_leads
SELECT count(*) AS leads
FROM (
    SELECT DISTINCT
        k.user_id,
        k.customer_phone
    FROM projector.source_keys AS k
    WHERE k.kind IN ({kinds.of_lead_makers})
        AND (%(tenants)s::text[] IS NULL OR k.user_id = any(%(tenants)s::text[]))
) AS keyed;

-- name: read_waiting_leads
-- Returns user_id and customer_phone of those of these leads that wait. Parameters: user_ids and customer_phones,
-- arrays of one length.
SELECT
    l.user_id,
    l.customer_phone
FROM unnest(%(user_ids)s::text[], %(customer_phones)s::text[]) AS l (user_id, customer_phone)
INNER JOIN waiting_leads AS w ON w.user_id = l.user_id AND w.customer_phone = l.customer_phone;

-- name: read_differing_leads
-- Returns user_id and customer_phone of the leads that differ, in order. A message under a wrong lead concerns two
-- leads.
SELECT
    d.user_id,
    d.customer_phone
FROM lead_differences AS d
UNION
SELECT
    d.user_id,
    lead.customer_phone
FROM message_differences AS d
CROSS JOIN LATERAL (VALUES (d.customer_phone), (d.old_customer_phone)) AS lead (customer_phone)
WHERE lead.customer_phone IS NOT NULL
ORDER BY user_id, customer_phone;

-- name: stage_keys
INSERT INTO wrong_keys (kind, key)
SELECT
    i.kind,
    i.key
FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS i (kind, key);

-- name: read_round
-- Returns the columns of the present round, and phase and after of its position.
SELECT
    {columns.verify_rounds of r},
    p.phase,
    ARRAY[p.after_first, p.after_second] AS after
FROM projector.verify_rounds AS r
INNER JOIN projector.sweep_positions AS p ON p.purpose = 'verify' AND p.version = r.version
WHERE r.finished_at IS NULL;

-- name: read_last_start
-- Returns: started_at of the last round of a scheduler that has ended; null if there is none.
SELECT max(r.started_at) AS started_at
FROM projector.verify_rounds AS r
WHERE r.days IS NOT NULL AND r.finished_at IS NOT NULL;

-- name: add_round
INSERT INTO projector.verify_rounds (
    version, days, started_at, finished_at, due_at, reached_at, rows_done, leads_total, leads, left_out, differences
)
VALUES (
    %(version)s, %(days)s, %(started_at)s, %(finished_at)s, %(due_at)s, %(reached_at)s, %(rows_done)s,
    %(leads_total)s, %(leads)s, %(left_out)s, %(differences)s
);

-- name: write_round
UPDATE projector.verify_rounds
SET days = %(days)s,
    finished_at = %(finished_at)s,
    due_at = %(due_at)s,
    reached_at = %(reached_at)s,
    rows_done = %(rows_done)s,
    leads = %(leads)s,
    left_out = %(left_out)s,
    differences = %(differences)s,
    failure = %(failure)s
WHERE round_id = %(round_id)s;

-- name: give_up_round
DELETE FROM projector.verify_rounds
WHERE finished_at IS NULL;

-- name: forget_left_out
DELETE FROM projector.verify_left_out;

-- name: leave_out
-- Notes what was left out. Parameters: kinds, user_ids, customer_phones and keys, arrays of one length; at.
INSERT INTO projector.verify_left_out (kind, user_id, customer_phone, key, tried_at)
SELECT
    i.kind,
    i.user_id,
    i.customer_phone,
    i.key,
    %(at)s
FROM unnest(%(kinds)s::text[], %(user_ids)s::text[], %(customer_phones)s::text[], %(keys)s::text[])
    AS i (kind, user_id, customer_phone, key)
ON CONFLICT (kind, user_id, customer_phone, key) DO UPDATE SET tried_at = excluded.tried_at;

-- name: take_in
-- Removes items from those that were left out, because they have been compared. Parameters: as above, except at.
DELETE FROM projector.verify_left_out AS o
USING unnest(%(kinds)s::text[], %(user_ids)s::text[], %(customer_phones)s::text[], %(keys)s::text[])
    AS i (kind, user_id, customer_phone, key)
WHERE o.kind = i.kind
    AND o.user_id = i.user_id
    AND o.customer_phone = i.customer_phone
    AND o.key = i.key;

-- name: find_left_out
-- Returns kind, user_id, customer_phone, key of the items that were left out, the least recently tried first.
-- Parameters: before, the moment before which they were last tried; size.
SELECT
    o.kind,
    o.user_id,
    o.customer_phone,
    o.key
FROM projector.verify_left_out AS o
WHERE o.tried_at < %(before)s
ORDER BY o.tried_at, o.kind, o.user_id, o.customer_phone, o.key
LIMIT %(size)s;

-- name: has_left_out
SELECT EXISTS (SELECT FROM projector.verify_left_out) AS has_left_out;

-- name: note_drift
-- Notes items that differ. An item that is noted already keeps its row and the time when it was found.
WITH noted AS (
    INSERT INTO projector.drift AS d (
        kind, user_id, customer_phone, key, fields, first_field, found_at, seen_at
    )
    SELECT
        i.kind,
        i.user_id,
        i.customer_phone,
        i.key,
        i.fields,
        i.first_field,
        %(at)s,
        %(at)s
    FROM unnest(
        %(kinds)s::text[], %(user_ids)s::text[], %(customer_phones)s::text[], %(keys)s::text[],
        %(fields)s::integer[], %(first_fields)s::text[]
    ) AS i (kind, user_id, customer_phone, key, fields, first_field)
    ORDER BY i.kind, i.user_id, i.customer_phone, i.key
    ON CONFLICT (kind, user_id, customer_phone, key) WHERE ended_at IS NULL DO UPDATE SET
        fields = excluded.fields,
        first_field = excluded.first_field,
        seen_at = greatest(d.seen_at, excluded.seen_at)
    RETURNING d.xmax = 0 AS is_new
)

SELECT count(*) FILTER (WHERE noted.is_new) AS found
FROM noted;

-- name: end_items
-- Ends the drift of these items, unless it was seen again since.
--
-- Parameters: kinds, user_ids, customer_phones and keys, arrays of one length; before, when the comparison or the heal
-- began; at, when they are right again; outcome. A key is one item, under whichever lead it was found.
UPDATE projector.drift AS d
SET ended_at = %(at)s, outcome = %(outcome)s
FROM unnest(%(kinds)s::text[], %(user_ids)s::text[], %(customer_phones)s::text[], %(keys)s::text[])
    AS i (kind, user_id, customer_phone, key)
WHERE d.ended_at IS NULL
    AND d.seen_at < %(before)s
    AND d.kind = i.kind
    AND d.key = i.key
    AND (i.key <> '' OR (d.user_id = i.user_id AND d.customer_phone = i.customer_phone));

-- name: end_all
-- Ends the drift of these tenants, or of all, that was last seen before a moment: all of it after a rebuild, that of
-- statistics after all statistics were compared.
UPDATE projector.drift AS d
SET ended_at = clock_timestamp(), outcome = %(outcome)s
WHERE d.ended_at IS NULL
    AND d.seen_at < %(before)s
    AND (%(kind)s::text IS NULL OR d.kind = %(kind)s)
    AND (%(tenants)s::text[] IS NULL OR d.user_id = any(%(tenants)s::text[]));

-- name: read_open_drift
-- Returns kind, user_id, customer_phone, key of the leads and keys with open drift that was last seen before a moment.
SELECT
    d.kind,
    d.user_id,
    d.customer_phone,
    d.key
FROM projector.drift AS d
WHERE d.ended_at IS NULL
    AND d.seen_at < %(before)s
    AND d.kind <> 'statistics'
    AND (%(tenants)s::text[] IS NULL OR d.user_id = any(%(tenants)s::text[]))
ORDER BY d.kind, d.user_id, d.customer_phone, d.key;

-- name: read_verified
SELECT
    (SELECT max(r.finished_at) FROM projector.verify_rounds AS r) AS proved_at,
    (
        SELECT least(r.rows_done::real / greatest(r.leads_total, 1), 0.999)
        FROM projector.verify_rounds AS r
        WHERE r.finished_at IS NULL
    )::real AS round_done,
    (SELECT count(*) FROM projector.drift AS d WHERE d.ended_at IS NULL) AS open_differences;

-- name: publish_drift
-- Writes the numbers that the metrics of the API show.
UPDATE read_model.projection AS p
SET proved_at = %(proved_at)s,
    round_done = %(round_done)s,
    open_differences = %(open_differences)s,
    found_differences = p.found_differences + %(found)s
WHERE (p.proved_at, p.round_done, p.open_differences) IS DISTINCT FROM
    (%(proved_at)s::timestamptz, %(round_done)s::real, %(open_differences)s::bigint)
    OR %(found)s > 0;

-- name: find_rebuild_reasons
-- Returns: version and built_at of the read model; lacks_parts, whether a part of it was never filled; switched_off,
-- why an operator switched capture off; gap, why changes may have been missed, or were dropped for a rebuild;
-- interrupted, whether a rebuild of everything was interrupted, or is in progress elsewhere (the holder of the rebuild
-- lock knows which).
SELECT
    (SELECT p.version FROM read_model.projection AS p) AS version,
    (SELECT p.built_at FROM read_model.projection AS p) AS built_at,
    EXISTS (SELECT FROM read_model.projection AS p WHERE p.unfilled IS NOT NULL) AS lacks_parts,
    (SELECT s.value FROM projector.settings AS s WHERE s.name = 'capture_off') AS switched_off,
    coalesce(
        (
            SELECT g.reason
            FROM projector.capture_gaps AS g
            WHERE g.healed_at IS NULL
            ORDER BY g.gap_id
            LIMIT 1
        ),
        (SELECT b.reason FROM projector.broken_capture AS b)
    ) AS gap,
    EXISTS (SELECT FROM projector.sweep_positions AS p WHERE p.purpose = 'rebuild') AS interrupted;

-- name: read_newest_change
SELECT max(c.change_id) AS change_id
FROM projector.changes AS c;

-- name: shed_changes
-- Deletes waiting mass changes of an owned shard, because a rebuild of everything follows. Single changes stay, and are
-- taken meanwhile. Parameters: shard; newest, the change_id up to which to delete; size. Nothing is lost: a visible
-- change was committed together with its source row, so the rebuild, which begins later and reads all source rows,
-- contains it; a change that is not visible yet stays in the queue. Before the first deletion a gap is opened. It
-- freezes freshness, and only a rebuild that begins after the last deletion closes it; both happen under the lock of
-- rebuilds. A ctid is safe, as in 1_take/30_take_changes.sql.
DELETE FROM projector.changes
WHERE ctid = any(
    ARRAY(
        SELECT c.ctid
        FROM projector.changes AS c
        WHERE c.shard = %(shard)s AND c.bulk AND c.change_id <= %(newest)s
        LIMIT %(size)s
    )
);

-- name: read_queued_changes
SELECT c.change_id
FROM projector.changes AS c;

-- name: settle_changes
-- Deletes these changes from the queue, which the caller owns: a rebuild of everything has read all source rows since
-- they were committed.
DELETE FROM projector.changes
WHERE change_id = any(%(change_ids)s::bigint[]);

-- name: count_mass_changes
-- Returns how many mass changes and late keys wait, counted up to a bound: these a rebuild can replace.
SELECT count(*) AS changes
FROM (
    SELECT
    FROM projector.changes AS c
    WHERE c.bulk
    UNION ALL
    SELECT
    FROM projector.late_keys
    LIMIT %(bound)s
) AS bounded;

-- name: shed_late_keys
-- Deletes late keys for the same reason. No other transaction takes any now. Their tenants stay late until the gap is
-- closed.
DELETE FROM projector.late_keys
WHERE ctid = any(ARRAY(SELECT l.ctid FROM projector.late_keys AS l LIMIT %(size)s));

-- name: note_interrupted_runs
-- Marks a rebuild as interrupted if its process ended before it did. Only the holder of the rebuild lock can tell: if
-- the log has a running rebuild, the query takes the lock until its transaction ends.
UPDATE projector.runs
SET outcome = 'interrupted', finished_at = clock_timestamp()
WHERE kind = 'rebuild'
    AND CASE WHEN outcome = 'running' THEN pg_try_advisory_xact_lock(%(rebuild_class)s, 0) ELSE false END;
