-- The dead letters: keys whose refresh failed.

-- name: find_letters
-- Returns: kind, key of the dead letters to try next, at most as many as the limit, or all of them where that is null.
-- Parameters: due_only, limit. Those that were never tried alone are left out: find_untried finds them.
--
-- The first of each tenant come before the second of any, so that no tenant waits for all those of another. One that
-- failed at a time that the clock has not reached is due: the clock was set back.
SELECT
    d.kind,
    d.key
FROM projector.dead_letters AS d
WHERE d.attempts > 0
    AND (
        NOT %(due_only)s
        OR d.retry_at <= clock_timestamp()
        OR d.retry_at > clock_timestamp() + least(
            interval '10 seconds' * 2 ^ least(d.attempts - 1, 20), interval '1 hour'
        )
    )
ORDER BY row_number() OVER (PARTITION BY d.user_id ORDER BY d.retry_at), d.retry_at
LIMIT %(limit)s;

-- name: find_untried
-- Returns: kind, key of some letters of one tenant and kind that were set aside with others, and never tried alone.
-- Those that another session tries are left to it. Parameters: limit.
--
-- The tenant with the fewest comes first, so that it does not wait for all those of another.
SELECT
    d.kind,
    d.key
FROM projector.dead_letters AS d
WHERE d.attempts = 0
    AND (d.kind, coalesce(d.user_id, '')) = (
        SELECT
            f.kind,
            coalesce(f.user_id, '')
        FROM projector.dead_letters AS f
        WHERE f.attempts = 0
        GROUP BY f.kind, coalesce(f.user_id, '')
        ORDER BY count(*), min(f.retry_at)
        LIMIT 1
    )
ORDER BY d.retry_at, d.key
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED;

-- name: lock_letters
-- Returns: key of those of the dead letters that this transaction has to itself now: two refreshes never retry one at
-- the same time. Parameters: kind, keys.
SELECT d.key
FROM projector.dead_letters AS d
WHERE d.kind = %(kind)s AND d.key = any(%(keys)s::text[])
FOR UPDATE SKIP LOCKED;

-- name: stage_letters
-- Stages dead letters as a change. Parameters: kind, keys.
INSERT INTO taken_changes (change_id, shard, kind, keys)
VALUES (0, 0, %(kind)s, %(keys)s::text[]);

-- name: delete_letters
-- Parameters: kind, keys.
DELETE FROM projector.dead_letters
WHERE kind = %(kind)s AND key = any(%(keys)s::text[]);

-- name: set_aside
-- Sets keys aside with their error. One that failed alone (attempts is 1) is tried again after a pause that doubles
-- from ten seconds up to an hour, one that never was (attempts is 0) at once. A key that neither the source nor
-- projector.source_keys has any more is not set aside: nothing of it is left to project, and what failed may have been
-- erased since.
-- Parameters: kind, keys, error, attempts; key_kind, what the keys are in projector.source_keys.
INSERT INTO projector.dead_letters AS d (
    kind, key, user_id, customer_phone, error, attempts, first_failed_at, retry_at
)
SELECT
    %(kind)s::text,
    failed.key,
    lead.user_id,
    lead.customer_phone,
    %(error)s::text,
    %(attempts)s::integer,
    statement_timestamp(),
    clock_timestamp() + interval '10 seconds' * %(attempts)s
FROM (SELECT DISTINCT k.key FROM unnest(%(keys)s::text[]) AS k (key) WHERE k.key IS NOT NULL) AS failed
LEFT JOIN LATERAL (
    SELECT
        s.user_id,
        s.customer_phone
    FROM ({definition.source_keys}) AS s
    WHERE s.kind = %(key_kind)s AND s.key = failed.key COLLATE "default"
    OFFSET 0
) AS lead ON true
WHERE lead.user_id IS NOT NULL
    OR EXISTS (SELECT FROM projector.source_keys AS k WHERE k.kind = %(key_kind)s AND k.key = failed.key)
    OR CASE %(key_kind)s
        WHEN 'conversation'
            THEN EXISTS (SELECT FROM {source.conversations} AS c WHERE c.conversation_id::text = failed.key)
        WHEN 'contact' THEN EXISTS (SELECT FROM {source.contacts} AS c WHERE c.contact_id::text = failed.key)
        ELSE EXISTS (SELECT FROM {source.template_sends} AS s WHERE s.send_id::text = failed.key)
    END
ON CONFLICT (kind, key) DO UPDATE SET
    error = excluded.error,
    attempts = d.attempts + 1,
    retry_at = clock_timestamp() + least(interval '10 seconds' * 2 ^ least(d.attempts, 20), interval '1 hour')
WHERE excluded.attempts > 0;

-- name: count_letters
-- Returns: user_ids and numbers, the tenants that have dead letters, and how many, as two arrays.
SELECT
    coalesce(array_agg(counted.user_id), '{}') AS user_ids,
    coalesce(array_agg(counted.number), '{}') AS numbers
FROM (
    SELECT
        d.user_id,
        count(*) AS number
    FROM projector.dead_letters AS d
    WHERE d.user_id IS NOT NULL
    GROUP BY d.user_id
) AS counted;

-- name: write_counts
-- Writes the number of dead letters into the row of each tenant that has some, where the API reads it.
--
-- Parameters: user_ids and numbers, two arrays of one length.
INSERT INTO read_model.tenants AS t (user_id, dead_letters)
SELECT
    d.user_id,
    d.number
FROM unnest(%(user_ids)s::text[], %(numbers)s::bigint[]) AS d (user_id, number)
ON CONFLICT (user_id) DO UPDATE SET dead_letters = excluded.dead_letters
WHERE t.dead_letters <> excluded.dead_letters;

-- name: clear_counts
-- Writes 0 into the row of each tenant that has no dead letter any more.
--
-- Parameter: user_ids, those that have some.
UPDATE read_model.tenants AS t
SET dead_letters = 0
WHERE t.dead_letters <> 0 AND t.user_id <> all(%(user_ids)s::text[]);
