-- What row security needs besides its policies, which the section `roles` of schema.sql creates.

-- The profiles of the session's tenant: leads_api may only read these.
--
-- On the table, PostgreSQL evaluates the policy before every condition that is not leakproof, such as LIKE, so no
-- search would use its index. This view reads with the rights of its owner, to whom no policy applies, so its condition
-- and LIKE can be evaluated together.
CREATE OR REPLACE VIEW read_model.lead_profiles_of_tenant AS
SELECT p.*
FROM read_model.lead_profiles AS p
WHERE p.user_id = current_setting('leads.user_id', true);

-- The same for conversations: `@>`, which finds attributes, is not leakproof either.
CREATE OR REPLACE VIEW read_model.lead_conversations_of_tenant AS
SELECT c.*
FROM read_model.lead_conversations AS c
WHERE c.user_id = current_setting('leads.user_id', true);

-- CREATE OR REPLACE VIEW cannot drop a column, and the view of an older installation has one more.
DO $$
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = to_regclass('read_model.row_security') AND a.attname = 'lets_older_api_pass'
    ) THEN
        DROP VIEW read_model.row_security;
    END IF;
END
$$;

-- Each table with rows of tenants, and the problem of its row security; null if it is as `migrate` created it.
-- to_regrole() and not pg_roles: Citus copies what a view depends on to its servers. An expression is printed with the
-- columns of the view above, because with its own table PostgreSQL 18 would wait for a session that locks it. user_id
-- is the first column of each table.
CREATE OR REPLACE VIEW read_model.row_security AS
SELECT
    found.table_name,
    CASE
        -- Without the role, row security filters nobody.
        WHEN to_regrole('leads_api') IS NULL THEN NULL
        WHEN NOT found.is_enabled THEN 'row security is switched off'
        WHEN NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_policy AS p
            WHERE p.polrelid = found.table_id
                AND p.polname = 'one_tenant'
                AND p.polpermissive
                AND p.polcmd = '*'
                AND p.polroles = ARRAY[to_regrole('leads_api')::oid]
                AND regexp_replace(
                    pg_get_expr(p.polqual, 'read_model.lead_profiles_of_tenant'::regclass), '\s+', ' ', 'g'
                ) = '(user_id = current_setting(''leads.user_id''::text, true))'
        ) THEN 'the policy one_tenant is missing or was changed'
        ELSE (
            SELECT 'the policy ' || quote_ident(min(p.polname)) COLLATE "default" || ' shows leads_api more'
            FROM pg_catalog.pg_policy AS p
            WHERE p.polrelid = found.table_id
                AND p.polname <> 'one_tenant'
                AND p.polpermissive
                AND p.polroles && ARRAY[0::oid, to_regrole('leads_api')::oid]
            HAVING count(*) > 0
        )
    END AS problem,
    found.table_id
FROM (
    SELECT
        c.oid AS table_id,
        'read_model.' || quote_ident(c.relname) AS table_name,
        c.relrowsecurity AS is_enabled
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'read_model'
    INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'user_id' AND a.attnum > 0
    WHERE c.relkind IN ('r', 'p')
) AS found;
