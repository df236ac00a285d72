-- The present columns of the tables in capture_columns, in the form of that table.
--
-- A table is found by its name, so that a table that was dropped and created again counts as another one.
CREATE OR REPLACE VIEW projector.source_columns AS
SELECT
    named.table_name,
    a.attname::text COLLATE "C" AS column_name,
    c.oid AS table_id,
    a.attnum AS attribute_number,
    concat_ws(':', a.atttypid, a.atttypmod, a.attcollation, nullif(a.attgenerated, '')) COLLATE "C" AS definition,
    a.xmin::text COLLATE "C" AS row_version,
    c.relfilenode AS file_node
FROM (SELECT DISTINCT e.table_name FROM projector.capture_triggers AS e) AS named
INNER JOIN projector.source_tables AS s ON s.table_name = named.table_name
INNER JOIN pg_catalog.pg_class AS c
    ON c.relnamespace = to_regnamespace(quote_ident(s.schema_name)) AND c.relname = s.table_name
INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped;
COMMENT ON VIEW projector.source_columns IS 'The columns of the source tables as the catalog has them now.';
