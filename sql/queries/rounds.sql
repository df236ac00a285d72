-- The rounds of the verify: where the present one is, and how it goes on.

-- name: read_present
-- Returns the present round; no row while there is none.
SELECT
    r.round_id,
    r.version,
    r.started_at,
    r.phase,
    r.after_first,
    r.after_second,
    r.due_at,
    r.reached_at,
    r.rows_total,
    r.rows_done,
    r.leads,
    r.differences
FROM projector.verify_rounds AS r
WHERE r.finished_at IS NULL;

-- name: read_last_start
-- Returns: started_at of the last round of a scheduler, which has ended; null without one.
SELECT max(r.started_at) AS started_at
FROM projector.verify_rounds AS r
WHERE r.days IS NOT NULL AND r.finished_at IS NOT NULL;

-- name: count_leads
-- Returns: leads, how many there are.
SELECT count(*) AS leads
FROM read_model.leads;

-- name: count_keys
-- Returns: keys, how many there are.
SELECT count(*) AS keys
FROM projector.source_keys;

-- name: forget_left_out
DELETE FROM projector.verify_left_out;

-- name: begin
-- Begins a round. Parameters: version, days, at, rows_total, leads_total.
INSERT INTO projector.verify_rounds (version, days, started_at, due_at, rows_total, leads_total)
VALUES (%(version)s, %(days)s, %(at)s, %(at)s, %(rows_total)s, %(leads_total)s);

-- name: give_up
-- Forgets the present round.
DELETE FROM projector.verify_rounds AS r
WHERE r.finished_at IS NULL;

-- name: move
-- Goes on: what was compared is done. Parameters: phase, after_first, after_second, days, due_at, reached_at; rows,
-- leads and differences, how many more.
UPDATE projector.verify_rounds AS r
SET phase = %(phase)s,
    after_first = %(after_first)s,
    after_second = %(after_second)s,
    days = %(days)s,
    due_at = %(due_at)s,
    reached_at = coalesce(r.reached_at, %(reached_at)s),
    rows_done = r.rows_done + %(rows)s,
    leads = r.leads + %(leads)s,
    differences = r.differences + %(differences)s,
    failure = NULL
WHERE r.round_id = %(round_id)s;

-- name: postpone
-- Parameters: due_at.
UPDATE projector.verify_rounds AS r
SET due_at = %(due_at)s
WHERE r.finished_at IS NULL;

-- name: note_failure
-- Parameter: failure.
UPDATE projector.verify_rounds AS r
SET failure = %(failure)s
WHERE r.finished_at IS NULL;

-- name: finish
-- Ends the present round, with what is left out for good. Parameters: round_id, at.
WITH forgotten AS (
    DELETE FROM projector.verify_left_out
    RETURNING 1
)

UPDATE projector.verify_rounds AS r
SET finished_at = %(at)s, left_out = (SELECT count(*) FROM forgotten), failure = NULL
WHERE r.round_id = %(round_id)s
RETURNING r.leads, r.left_out, r.differences;

-- name: add_finished
-- Notes a verify of everything by hand. Parameters: version, started_at, leads, left_out, differences.
INSERT INTO projector.verify_rounds (
    version, started_at, finished_at, phase, due_at, reached_at, rows_total, rows_done, leads_total, leads, left_out,
    differences
)
VALUES (
    %(version)s, %(started_at)s, clock_timestamp(), 'again', %(started_at)s, clock_timestamp(), %(leads)s, %(leads)s,
    %(leads)s, %(leads)s, %(left_out)s, %(differences)s
);

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
-- Forgets that items were left out: they are compared now. Parameters: as above, but at.
DELETE FROM projector.verify_left_out AS o
USING unnest(%(kinds)s::text[], %(user_ids)s::text[], %(customer_phones)s::text[], %(keys)s::text[])
    AS i (kind, user_id, customer_phone, key)
WHERE o.kind = i.kind
    AND o.user_id = i.user_id
    AND o.customer_phone = i.customer_phone
    AND o.key = i.key;

-- name: find_left_out
-- Returns kind, user_id, customer_phone, key of what was left out, tried longest ago first. Parameters: before, what
-- was tried since is left for later; size.
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

-- name: find_stored_keys
-- Returns kind and key of the next rows of projector.source_keys. Parameters: after_kind, after_key, size.
SELECT
    k.kind,
    k.key
FROM projector.source_keys AS k
WHERE (k.kind, k.key) > (%(after_kind)s, %(after_key)s)
ORDER BY k.kind, k.key
LIMIT %(size)s;

-- name: find_source_keys
-- Returns the next keys of a kind that belong to a lead, in the order of the platform's index. Parameters: kind,
-- after_key, size.
SELECT d.key
FROM projector.current_keys() AS d
WHERE d.kind = %(kind)s AND d.key > %(after_key)s
ORDER BY d.key
LIMIT %(size)s;

-- name: find_tenants
-- Returns user_id and leads of the next tenants that have leads or statistics, rightly or not. Parameters: after, size.
--
-- From tenant to tenant by the indexes: a tenant can have very many rows.
WITH RECURSIVE found AS (
    SELECT %(after)s::text COLLATE "C" AS user_id
    UNION ALL
    SELECT next.user_id
    FROM found
    CROSS JOIN LATERAL (
        SELECT least(
            (SELECT min(l.user_id) FROM read_model.leads AS l
    WHERE l.user_id > found.user_id),
            (SELECT min(t.user_id) FROM read_model.lead_totals AS t WHERE t.user_id > found.user_id),
            (SELECT min(c.user_id) FROM read_model.lead_counts AS c WHERE c.user_id > found.user_id),
            (SELECT min(d.user_id) FROM read_model.lead_daily_counts AS d WHERE d.user_id > found.user_id)
        ) AS user_id
    ) AS next
    WHERE next.user_id IS NOT NULL
)

SELECT
    f.user_id,
    coalesce(
        (
            SELECT t.leads
            FROM read_model.lead_totals AS t
            WHERE t.user_id = f.user_id AND t.granularity = 'all' AND t.bucket_start = '-infinity'
        ),
        0
    ) AS leads
FROM found AS f
OFFSET 1
LIMIT %(size)s;
