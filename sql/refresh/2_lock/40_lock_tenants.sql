-- Lock the stale tenants, in the order of their lock keys: batches of one tenant take turns, and none deadlock.
--
-- point: locked
-- Parameter: lock_class, the first key of the advisory locks on tenants. What follows runs in later statements, whose
-- snapshots are younger than the lock: they see all that the transaction which held it before has written.
SELECT pg_advisory_xact_lock(%(lock_class)s, ordered.lock_key)
FROM (
    SELECT DISTINCT hashtext(stale_tenants.user_id) AS lock_key
    FROM stale_tenants
    ORDER BY lock_key
) AS ordered;
