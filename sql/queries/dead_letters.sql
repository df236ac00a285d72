-- The dead letters: keys whose refresh failed alone.

-- name: find_letters
-- Returns: kind, key of the dead letters to try next, at most as many as the limit, or all of them where that is null.
-- Parameters: due_only, limit.
--
-- The first of each tenant come before the second of any, so that no tenant waits for all those of another. One that
-- failed at a time that the clock has not reached is due: the clock was set back.
SELECT
    d.kind,
    d.key
FROM projector.dead_letters AS d
WHERE NOT %(due_only)s
    OR d.retry_at <= clock_timestamp()
    OR d.retry_at > clock_timestamp() + least(interval '10 seconds' * 2 ^ least(d.attempts - 1, 20), interval '1 hour')
ORDER BY row_number() OVER (PARTITION BY d.user_id ORDER BY d.retry_at), d.retry_at
LIMIT %(limit)s;

-- name: lock_letter
-- Returns one row if this transaction has the dead letter to itself: two refreshes never retry one at the same time.
-- Parameters: kind, key.
SELECT
FROM projector.dead_letters AS d
WHERE d.kind = %(kind)s AND d.key = %(key)s
FOR UPDATE SKIP LOCKED;

-- name: stage_letter
-- Stages a dead letter as a change. Parameters: kind, key.
INSERT INTO taken_changes (change_id, shard, kind, keys)
VALUES (0, 0, %(kind)s, ARRAY[%(key)s]);

-- name: delete_letter
-- Parameters: kind, key.
DELETE FROM projector.dead_letters
WHERE kind = %(kind)s AND key = %(key)s;

-- name: read_staged_ids
-- Returns: change_id of each staged change.
SELECT t.change_id
FROM taken_changes AS t;

-- name: read_staged_changes
-- Returns: kind, keys of each staged change.
SELECT
    t.kind,
    t.keys
FROM taken_changes AS t;

-- name: set_aside
-- Sets a key aside with its error, to be tried again after a pause that doubles from ten seconds up to an hour. A key
-- that neither the source nor projector.source_keys has any more is not: nothing of it is left to project, and what
-- failed may have been erased since.
-- Parameters: kind, key, error; key_kind, what the key is in projector.source_keys.
WITH lead AS (
    SELECT
        d.user_id,
        d.customer_phone
    FROM ({definition.source_keys}) AS d
    WHERE d.kind = %(key_kind)s AND d.key = %(key)s
)

INSERT INTO projector.dead_letters AS d (
    kind, key, user_id, customer_phone, error, attempts, first_failed_at, retry_at
)
SELECT
    %(kind)s::text,
    %(key)s::text,
    lead.user_id,
    lead.customer_phone,
    %(error)s::text,
    1,
    clock_timestamp(),
    clock_timestamp() + interval '10 seconds'
FROM (SELECT 1) AS one
LEFT JOIN lead ON true
WHERE lead.user_id IS NOT NULL
    OR EXISTS (SELECT FROM projector.source_keys AS k WHERE k.kind = %(key_kind)s AND k.key = %(key)s)
    OR CASE %(key_kind)s
        WHEN 'conversation'
            THEN EXISTS (SELECT FROM {source.conversations} AS c WHERE c.conversation_id::text = %(key)s)
        WHEN 'contact' THEN EXISTS (SELECT FROM {source.contacts} AS c WHERE c.contact_id::text = %(key)s)
        ELSE EXISTS (SELECT FROM {source.template_sends} AS s WHERE s.send_id::text = %(key)s)
    END
ON CONFLICT (kind, key) DO UPDATE SET
    error = excluded.error,
    attempts = d.attempts + 1,
    retry_at = clock_timestamp() + least(interval '10 seconds' * 2 ^ least(d.attempts, 20), interval '1 hour');

-- name: count_letters
-- Writes the number of dead letters into the row of each tenant, where the API reads it.
INSERT INTO read_model.tenants AS t (user_id, dead_letters)
SELECT
    d.user_id,
    count(*)
FROM projector.dead_letters AS d
WHERE d.user_id IS NOT NULL
GROUP BY d.user_id
ON CONFLICT (user_id) DO UPDATE SET dead_letters = excluded.dead_letters
WHERE t.dead_letters <> excluded.dead_letters;

-- name: clear_counts
-- Writes 0 into the row of each tenant that has no dead letter any more.
UPDATE read_model.tenants AS t
SET dead_letters = 0
WHERE t.dead_letters <> 0
    AND t.user_id NOT IN (SELECT d.user_id FROM projector.dead_letters AS d WHERE d.user_id IS NOT NULL);

-- name: split_change
-- Queues the staged change again in up to eight parts by key, so that the key that fails is found without delaying
-- the others for long.
INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids, queued_at)
SELECT
    t.shard,
    true,
    t.kind,
    array_agg(k.key),
    t.message_ids,
    t.queued_at
FROM taken_changes AS t
CROSS JOIN LATERAL unnest(t.keys) WITH ORDINALITY AS k (key, position)
GROUP BY t.change_id, t.shard, t.kind, t.message_ids, t.queued_at, k.position % 8;
