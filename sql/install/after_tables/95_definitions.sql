-- Our functions and views, and a digest of each. `migrate` notes the digests, and `status` compares them, because no
-- trigger reports a function that was replaced by hand and changes the read model. The query of a view is compared in
-- its stored form: to print it, PostgreSQL would wait for a session that locks a table.
CREATE OR REPLACE VIEW projector.definitions AS
SELECT
    i.type || ' ' || i.identity AS name,
    md5(found.body) AS digest
FROM (
    SELECT
        'pg_catalog.pg_proc'::regclass AS class_id,
        p.oid AS object_id,
        p.pronamespace AS schema_id,
        pg_get_functiondef(p.oid) AS body
    FROM pg_catalog.pg_proc AS p
    WHERE p.prokind IN ('f', 'p')
    UNION ALL
    SELECT
        'pg_catalog.pg_class'::regclass AS class_id,
        c.oid AS object_id,
        c.relnamespace AS schema_id,
        w.ev_action::text AS body
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = c.oid
    WHERE c.relkind = 'v'
) AS found
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = found.schema_id
CROSS JOIN LATERAL pg_identify_object(found.class_id, found.object_id, 0) AS i
WHERE n.nspname IN ('projector', 'read_model', 'leads_sql');
COMMENT ON VIEW projector.definitions IS 'The functions and views of ours, and a digest of each.';
