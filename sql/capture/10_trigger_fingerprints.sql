-- The capture triggers as the catalog has them now, with a fingerprint of each.
--
-- The row version (xmin) of the trigger betrays one that was disabled and enabled again, that of its function one that
-- was replaced, be it by way of the function that this one calls; the table's oid betrays a table that was dropped and
-- made anew, its visibility one that was moved to another schema, so that its name now means another one or none.
-- This is read each second: the function that is the same for all is looked up once, by a sub-select.
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
INNER JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
WHERE t.tgname LIKE 'leads\_capture\_%' AND t.tgparentid = 0 AND pg_catalog.pg_table_is_visible(c.oid);
COMMENT ON VIEW projector.capture_fingerprints IS 'The capture triggers as the catalog has them now, with a fingerprint of each.';
