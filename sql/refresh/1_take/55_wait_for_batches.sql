-- Wait for the batches in progress that may be writing a key of the taken changes, or moving it.
--
-- Such a batch has read the row of the source before it was changed. It may commit the key under a tenant that neither
-- the source nor projector.source_keys shows for it yet, and that has to be late too. It holds the lock of the tenant
-- under which the key is known; for an unknown key, this may be any tenant. A batch that locks a tenant from now on
-- reads the source as it is.
--
-- Parameter: lock_class, the first key of the locks on tenants. They are released at once, because nothing is written
-- here.
WITH held AS MATERIALIZED (
    SELECT DISTINCT l.objid::bigint::bit(32)::integer AS lock_key
    FROM pg_catalog.pg_locks AS l
    INNER JOIN pg_catalog.pg_database AS d ON d.oid = l.database AND d.datname = current_database()
    WHERE l.locktype = 'advisory'
        AND l.classid = %(lock_class)s
        AND l.objsubid = 2
        AND l.granted
        AND l.pid <> pg_backend_pid()
)

SELECT
    pg_advisory_lock(%(lock_class)s, held.lock_key),
    pg_advisory_unlock(%(lock_class)s, held.lock_key)
FROM held
WHERE EXISTS (
    SELECT
    FROM taken_changes AS t
    CROSS JOIN LATERAL unnest(t.keys) AS k (key)
    INNER JOIN projector.change_kinds AS kinds ON kinds.change_kind = t.kind AND kinds.dead_letter_kind IS NOT NULL
    CROSS JOIN LATERAL (
        SELECT (
            SELECT sk.user_id
            FROM projector.source_keys AS sk
            WHERE sk.kind = kinds.key_kind AND sk.key = k.key
        ) AS user_id
    ) AS known
    WHERE k.key IS NOT NULL AND (known.user_id IS NULL OR hashtext(known.user_id) = held.lock_key)
);
