-- Lock the stale tenants, in the order of their lock keys, so that batches of one tenant take turns and do not
-- deadlock.
--
-- point: locked
-- Parameter: lock_class, the first key of the advisory locks on tenants. The next steps are later statements, whose
-- snapshots are newer than the lock, so they see everything that its previous holder has written.
SELECT pg_advisory_xact_lock(%(lock_class)s, ordered.lock_key)
FROM (
    SELECT DISTINCT hashtext(stale_tenants.user_id) AS lock_key
    FROM stale_tenants
    ORDER BY lock_key
) AS ordered;
