-- The capture triggers in the catalog, with a fingerprint of each.
--
-- The fingerprint changes with the row version (xmin) of a trigger that was disabled and enabled again, with that of a
-- function that was replaced, including the one that all of them call, and with the oid of a table that was dropped and
-- created again. A table that was moved to another schema has no fingerprint: its name now means another table, or
-- none.
--
-- Every batch reads this view: a sub-select looks up the function that all triggers share only once.
CREATE OR REPLACE VIEW projector.capture_fingerprints AS
SELECT
    c.relname::text COLLATE "C" AS table_name,
    t.tgname::text COLLATE "C" AS trigger_name,
    concat_ws(
        ':', c.oid, t.oid, t.xmin, t.tgenabled, p.oid, p.xmin,
        (
            SELECT q.xmin
            FROM pg_catalog.pg_proc AS q
            WHERE q.oid = to_regprocedure('projector.queue_keys(text, text[], text[])')
        )
    ) COLLATE "C" AS fingerprint
FROM pg_catalog.pg_trigger AS t
INNER JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
INNER JOIN projector.source_tables AS s
    ON s.table_name = c.relname AND c.relnamespace = to_regnamespace(quote_ident(s.schema_name))
INNER JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
WHERE t.tgname LIKE 'leads\_capture\_%' AND t.tgparentid = 0;
COMMENT ON VIEW projector.capture_fingerprints IS 'The capture triggers as the catalog has them now, with a fingerprint of each.';
