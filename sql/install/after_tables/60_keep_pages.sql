-- Keep VACUUM from truncating tables of the read model that an older version created.
--
-- on: read_model
DO $$
DECLARE
    found regclass;
BEGIN
    FOR found IN
        SELECT c.oid
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'read_model'::regnamespace
            AND c.relkind = 'r'
            AND c.relname LIKE 'lead%'
            AND NOT coalesce('vacuum_truncate=off' = any(c.reloptions), false)
    LOOP
        EXECUTE format('ALTER TABLE %s SET (vacuum_truncate = off)', found);
    END LOOP;
END
$$;
