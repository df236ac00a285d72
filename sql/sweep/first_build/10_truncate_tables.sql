-- Empty the tables: a refresh before the first build, or a build of an earlier installation, may have left rows.
--
-- PostgreSQL refuses to truncate a table that a foreign key refers to: the rows of such a table are deleted.
DO $$
DECLARE
    filled regclass;
BEGIN
    FOREACH filled IN ARRAY ARRAY[
        'read_model.leads',
        'read_model.lead_profiles',
        'read_model.lead_conversations',
        'read_model.lead_messages',
        'read_model.lead_counts',
        'read_model.lead_daily_counts',
        'read_model.lead_totals',
        'read_model.message_counts',
        'read_model.lead_tombstones',
        'projector.source_keys'
    ]::regclass[] LOOP
        IF EXISTS (SELECT FROM pg_catalog.pg_constraint AS c WHERE c.confrelid = filled AND c.contype = 'f') THEN
            EXECUTE format('DELETE FROM %s', filled);
        ELSE
            EXECUTE format('TRUNCATE %s', filled);
        END IF;
    END LOOP;
END
$$;
