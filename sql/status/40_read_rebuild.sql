-- Whether a session holds the lock of rebuilds, and whether one was begun and not ended.
--
-- Parameter: rebuild_class, first key of that lock.
SELECT
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_locks AS l
        WHERE l.locktype = 'advisory'
            AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
            AND l.classid = %(rebuild_class)s
            AND l.granted
    ) AS is_held,
    EXISTS (SELECT 1 FROM projector.rebuild_tenants)
    OR EXISTS (SELECT 1 FROM projector.settings AS s WHERE s.name = 'rebuilding_beside') AS is_begun,
    (SELECT count(*) FROM projector.rebuild_tenants) AS tenants_left;
