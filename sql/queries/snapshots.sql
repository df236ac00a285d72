-- How a verify reads two databases at one moment: see projector/core/snapshots.py.

-- name: lock_tenants
-- Holds the locks of tenants, in the order of 2_lock/40_lock_tenants.sql, until they are unlocked.
-- Parameters: lock_class, tenants.
SELECT pg_advisory_lock(%(lock_class)s, ordered.lock_key)
FROM (
    SELECT DISTINCT hashtext(t.user_id) AS lock_key
    FROM unnest(%(tenants)s::text[]) AS t (user_id)
    ORDER BY lock_key
) AS ordered;

-- name: unlock_tenants
-- Parameters: as above.
SELECT pg_advisory_unlock(%(lock_class)s, locked.lock_key)
FROM (SELECT DISTINCT hashtext(t.user_id) AS lock_key FROM unnest(%(tenants)s::text[]) AS t (user_id)) AS locked;
