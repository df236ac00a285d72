-- The schema of the platform's tables, where this session does not look into it; no row where it does.
--
-- The triggers lead to their tables wherever these are. Where all of them are there and not one table's name means
-- anything here, it is the search_path of this session that is wrong, and its look at the triggers says nothing.
-- Returns: schema, or several in one text; role and search_path of this session. Each is written as SQL is.
SELECT
    string_agg(DISTINCT quote_ident(n.nspname), ', ') AS schema,
    quote_ident(current_user) AS role,
    current_setting('search_path') AS search_path
FROM projector.capture_triggers AS e
LEFT JOIN pg_catalog.pg_trigger AS t ON t.oid = nullif(split_part(e.fingerprint, ':', 2), '')::oid
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
HAVING bool_and(n.oid IS NOT NULL AND to_regclass(e.table_name) IS NULL);
