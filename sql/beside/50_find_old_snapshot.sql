-- Whether a session of this database reads in a snapshot that lacks what a transaction wrote.
--
-- Parameter: written, the id of that transaction.
-- A snapshot whose oldest running transaction is this very one was taken before it ended.
SELECT EXISTS (
    SELECT 1
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = current_database()
        AND a.pid <> pg_backend_pid()
        AND a.backend_type = 'client backend'
        AND age(a.backend_xmin) >= age(%(written)s::xid)
);
