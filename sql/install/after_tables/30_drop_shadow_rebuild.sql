-- Drop what rebuilds of version 0.1 left: their notes, their plan, and the copies of tables in schemas of their own.
--
-- Only a database of that version has such copies. Tables of other names, and later schemas of these names, belong to
-- an operator. A view or another object that somebody made on one of the copies keeps it.
DO $$
DECLARE
    copy regclass;
    schema_name text;
BEGIN
    DROP TABLE IF EXISTS projector.replay, projector.rebuild_tenants;
    DELETE FROM projector.settings WHERE name = 'rebuilding_beside';
    IF to_regprocedure('projector.begin_again()') IS NULL THEN
        RETURN;
    END IF;
    FOREACH schema_name IN ARRAY ARRAY['read_model_next', 'read_model_old'] LOOP
        FOR copy IN
            SELECT c.oid
            FROM pg_catalog.pg_class AS c
            WHERE c.relnamespace = to_regnamespace(schema_name)
                AND c.relkind = 'r'
                AND c.relname IN (
                    'freshness', 'tenants', 'leads', 'lead_profiles', 'lead_conversations', 'lead_messages',
                    'last_messages', 'lead_stats', 'lead_day_stats', 'lead_span_stats', 'conversation_keys',
                    'contact_keys', 'send_keys'
                )
        LOOP
            BEGIN
                EXECUTE format('DROP TABLE %s', copy);
            EXCEPTION WHEN dependent_objects_still_exist THEN
                NULL;
            END;
        END LOOP;
        BEGIN
            EXECUTE format('DROP SCHEMA IF EXISTS %I', schema_name);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            NULL;
        END;
    END LOOP;
END
$$;
