-- Keep VACUUM from truncating the tables that the API reads. To truncate one takes an ACCESS EXCLUSIVE lock. A standby
-- replays that lock, and while a reader there keeps it waiting, all other readers wait too. A TOAST table has a setting
-- of its own.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT
            c.oid::regclass AS table_name,
            'vacuum_truncate=off' = any(coalesce(c.reloptions, '{}')) AS is_kept,
            'vacuum_truncate=off' = any(coalesce(t.reloptions, '{}')) AS is_toast_kept
        FROM pg_catalog.pg_class AS c
        LEFT JOIN pg_catalog.pg_class AS t ON t.oid = c.reltoastrelid
        WHERE c.relnamespace IN ('read_model'::regnamespace, 'leads_access'::regnamespace)
            AND c.relkind = 'r'
    LOOP
        IF NOT found.is_kept THEN
            EXECUTE format('ALTER TABLE %s SET (vacuum_truncate = off)', found.table_name);
        END IF;
        IF NOT found.is_toast_kept THEN
            EXECUTE format('ALTER TABLE %s SET (toast.vacuum_truncate = off)', found.table_name);
        END IF;
    END LOOP;
END
$$;
