-- Whether a session of this database reads in a snapshot older than a transaction. Parameter: built, its id.
SELECT EXISTS (
    SELECT 1
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = current_database()
        AND a.pid <> pg_backend_pid()
        AND a.backend_type = 'client backend'
        AND age(a.backend_xmin) > age(%(built)s::xid)
);
