-- Whether a session of this database reads in a snapshot that lacks what a transaction wrote.
--
-- Parameters: written, the id of the last transaction that wrote beside; built, that of the first.
-- A snapshot whose oldest running transaction is this very one was taken before it ended. Of another role's session
-- the type is hidden, but neither how old its snapshot is nor that it has a user, which an autovacuum has not.
-- A standby that gives feedback tells of its readers by its sender's, or by its slot; but only each ten seconds, so
-- that while the platform writes it never knows the last transaction: its readers must have all rows but those of the
-- last moment.
SELECT EXISTS (
    SELECT 1
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = current_database()
        AND a.pid <> pg_backend_pid()
        AND coalesce(a.backend_type = 'client backend', a.usesysid IS NOT NULL)
        AND age(a.backend_xmin) >= age(%(written)s::xid)
)
OR EXISTS (
    SELECT 1
    FROM pg_catalog.pg_stat_replication AS r
    WHERE age(r.backend_xmin) >= age(%(built)s::xid)
)
OR EXISTS (
    SELECT 1
    FROM pg_catalog.pg_replication_slots AS s
    WHERE s.active AND age(s.xmin) >= age(%(built)s::xid)
);
