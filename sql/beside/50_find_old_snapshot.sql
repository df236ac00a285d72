-- Whether a session of this database reads in a snapshot that lacks what a transaction wrote.
--
-- Parameter: written, the id of that transaction.
-- A snapshot whose oldest running transaction is this very one was taken before it ended. Of another role's session
-- the type is hidden, but not how old its snapshot is. A standby that gives feedback tells of its readers by its
-- sender's, or by its slot.
SELECT EXISTS (
    SELECT 1
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = current_database()
        AND a.pid <> pg_backend_pid()
        AND coalesce(a.backend_type, 'client backend') = 'client backend'
        AND age(a.backend_xmin) >= age(%(written)s::xid)
)
OR EXISTS (
    SELECT 1
    FROM pg_catalog.pg_stat_replication AS r
    WHERE age(r.backend_xmin) >= age(%(written)s::xid)
)
OR EXISTS (
    SELECT 1
    FROM pg_catalog.pg_replication_slots AS s
    WHERE s.active AND age(s.xmin) >= age(%(written)s::xid)
);
