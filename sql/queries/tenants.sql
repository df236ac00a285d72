-- The queries of `tenants`, about the names of tenants, and about the version of a tenant.

-- name: lock_names
SELECT pg_advisory_xact_lock(%(key)s, 0);

-- name: read_tenants
-- Returns the tenants that the read model knows, ordered by user_id.
SELECT
    coalesce(t.user_id, counted.user_id) AS user_id,
    n.name,
    coalesce(counted.leads, 0) AS leads,
    coalesce(counted.messages, 0) AS messages,
    least(
        (SELECT min(s.as_of) FROM read_model.freshness AS f CROSS JOIN LATERAL unnest(f.shards) AS s (as_of)),
        t.late_as_of
    ) AS as_of,
    coalesce(t.dead_letters, 0) AS dead_letters
FROM read_model.tenants AS t
FULL JOIN (
    SELECT
        l.user_id,
        count(*) AS leads,
        sum(l.total_messages)::bigint AS messages
    FROM read_model.leads AS l
    GROUP BY l.user_id
) AS counted ON counted.user_id = t.user_id
LEFT JOIN read_model.tenant_names AS n ON n.user_id = coalesce(t.user_id, counted.user_id)
ORDER BY user_id;

-- name: count_dead_letters_without_tenant
-- Returns: dead_letters, how many keys with an unknown tenant are set aside.
SELECT count(*) AS dead_letters
FROM projector.dead_letters AS d
WHERE d.user_id IS NULL;

-- name: read_taken_names
-- Returns the user_id of each tenant whose name the taken changes concern; of every tenant if the table was truncated.
SELECT k.key COLLATE "C" AS user_id
FROM taken_changes AS t
CROSS JOIN LATERAL unnest(t.keys) AS k (key)
WHERE t.kind = 'tenants'
    AND k.key IS NOT NULL
    -- Keys that are set aside are retried separately.
    AND NOT EXISTS (SELECT FROM projector.dead_letters AS d WHERE d.kind = t.kind AND d.key = k.key COLLATE "C")
UNION
SELECT n.user_id
FROM read_model.tenant_names AS n
-- Citus materializes a subquery, which then needs a column.
WHERE 'truncate' IN (SELECT t.kind FROM taken_changes AS t WHERE projector.concerns_names(t.kind, t.keys));

-- name: read_source_names
-- Returns user_id and name of each of these tenants, or of all for null, whose name the platform knows.
SELECT
    d.user_id::text COLLATE "C" AS user_id,
    d.name COLLATE "C" AS name
FROM projector.current_names() AS d
WHERE %(user_ids)s::text[] IS NULL
UNION ALL
SELECT
    named.user_id COLLATE "C" AS user_id,
    d.name COLLATE "C" AS name
FROM unnest(%(user_ids)s::text[]) AS named (user_id)
INNER JOIN projector.current_names() AS d ON d.user_id = projector.user_id(named.user_id COLLATE "default");

-- name: read_names
-- Returns user_id and name of each of these tenants, or of all for null, that has one in the read model.
SELECT
    n.user_id,
    n.name
FROM read_model.tenant_names AS n
WHERE %(user_ids)s::text[] IS NULL OR n.user_id = any(%(user_ids)s::text[]);

-- name: find_waiting_names
-- Returns the user_id of each of these tenants whose name a waiting change concerns.
SELECT named.user_id
FROM unnest(%(user_ids)s::text[]) AS named (user_id)
WHERE EXISTS (
    SELECT
    FROM projector.changes AS q
    WHERE (q.kind = 'tenants' AND named.user_id = any(q.keys))
        OR (q.kind <> 'tenants' AND projector.concerns_names(q.kind, q.keys))
);

-- name: write_names
INSERT INTO read_model.tenant_names (user_id, name)
SELECT
    d.user_id,
    d.name
FROM unnest(%(user_ids)s::text[], %(names)s::text[]) AS d (user_id, name)
ON CONFLICT (user_id) DO UPDATE SET name = excluded.name;

-- name: delete_names
DELETE FROM read_model.tenant_names
WHERE user_id = any(%(user_ids)s::text[]);

-- name: change_version
-- Raises the version of a tenant whose rows were written. The tenant is locked.
INSERT INTO read_model.tenants AS t (user_id, version, version_id)
VALUES (%(user_id)s, 1, gen_random_uuid())
ON CONFLICT (user_id) DO UPDATE SET version = t.version + 1, version_id = excluded.version_id;

-- name: change_epoch
-- Ends the tokens of the change feed, which would miss rows that were deleted without a tombstone.
--
-- The tenant is locked.
UPDATE read_model.tenants
SET epoch = %(epoch)s
WHERE user_id = %(user_id)s;

-- name: tell_listeners
-- Notifies the listening APIs that any tenant may have changed.
SELECT pg_notify('leads', '*')
WHERE pg_notification_queue_usage() <= 0.9;

-- name: find_old_tombstones
-- Returns the tenants that have a tombstone older than a number of days.
SELECT s.user_id
FROM read_model.lead_tombstones AS s
WHERE s.deleted_at < now() - make_interval(days => %(days)s)
UNION
SELECT s.user_id
FROM read_model.status_change_tombstones AS s
WHERE s.deleted_at < now() - make_interval(days => %(days)s)
ORDER BY user_id;

-- name: prune_tombstones
-- Deletes the tombstones of a tenant older than a number of days, and notes their newest version for each feed.
--
-- The tenant is locked.
WITH pruned AS (
    DELETE FROM read_model.lead_tombstones AS s
    WHERE s.user_id = %(user_id)s AND s.deleted_at < now() - make_interval(days => %(days)s)
    RETURNING s.version
),

pruned_changes AS (
    DELETE FROM read_model.status_change_tombstones AS s
    WHERE s.user_id = %(user_id)s AND s.deleted_at < now() - make_interval(days => %(days)s)
    RETURNING s.version
)

UPDATE read_model.tenants
SET
    pruned_version = greatest(pruned_version, (SELECT max(p.version) FROM pruned AS p)),
    pruned_status_version = greatest(pruned_status_version, (SELECT max(p.version) FROM pruned_changes AS p))
WHERE user_id = %(user_id)s;
