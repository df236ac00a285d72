-- Keep the names of version 0.1 readable for its API, which may still run, and for the roles that were granted them.
--
-- A view reads with the rights of its owner, whom no policy filters, so it has the condition of the policies itself: a
-- session that has named a tenant reads that tenant's rows. The next version drops these views.
DO $$
DECLARE
    old record;
    granted record;
BEGIN
    IF to_regprocedure('projector.begin_again()') IS NULL THEN
        RETURN;
    END IF;
    CREATE OR REPLACE VIEW read_model.lead_stats AS
    SELECT
        c.user_id, c.lead_status, c.total_score, c.on_whatsapp, c.on_instagram, c.on_webchat, c.has_extraction,
        c.has_email, c.leads
    FROM read_model.lead_counts AS c
    WHERE (SELECT current_setting('leads.user_id', true)) IS NULL
        OR c.user_id = (SELECT current_setting('leads.user_id', true));
    CREATE OR REPLACE VIEW read_model.lead_day_stats AS
    SELECT
        c.user_id, c.day, c.lead_status, c.total_score, c.on_whatsapp, c.on_instagram, c.on_webchat, c.has_extraction,
        c.has_email, c.leads
    FROM read_model.lead_daily_counts AS c
    WHERE (SELECT current_setting('leads.user_id', true)) IS NULL
        OR c.user_id = (SELECT current_setting('leads.user_id', true));
    CREATE OR REPLACE VIEW read_model.lead_span_stats AS
    SELECT
        t.user_id, t.granularity AS span, t.bucket_start AS begins, t.leads, t.with_extraction, t.with_email, t.hot,
        t.warm, t.cold, t.on_whatsapp, t.on_instagram, t.on_webchat
    FROM read_model.lead_totals AS t
    WHERE t.granularity IN ('all', 'day', 'hour')
        AND (
            (SELECT current_setting('leads.user_id', true)) IS NULL
            OR t.user_id = (SELECT current_setting('leads.user_id', true))
        );
    FOR old IN
        SELECT *
        FROM (
            VALUES
            ('lead_counts', 'lead_stats'), ('lead_daily_counts', 'lead_day_stats'), ('lead_totals', 'lead_span_stats')
        ) AS renamed (table_name, view_name)
    LOOP
        FOR granted IN
            SELECT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS grantee
            FROM pg_catalog.pg_class AS c
            CROSS JOIN LATERAL aclexplode(c.relacl) AS g
            LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = g.grantee
            WHERE c.oid = ('read_model.' || old.table_name)::regclass
                AND g.privilege_type = 'SELECT'
                AND g.grantee <> c.relowner
        LOOP
            EXECUTE format('GRANT SELECT ON read_model.%I TO %s', old.view_name, granted.grantee);
        END LOOP;
    END LOOP;
END
$$;
