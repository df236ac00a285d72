-- Note a gap if the name of a table or a column of the platform means another one than when capture was last found
-- intact. Before the next check, which would find nothing then, the original table may have its name back.
--
-- Until the transaction ends, nobody can rename a table that it has read.
INSERT INTO projector.capture_gaps (reason)
SELECT swapped.reason
FROM (
    SELECT min(e.table_name) || ' was another table for a time, or had other columns' AS reason
    FROM projector.capture_columns AS e
    INNER JOIN projector.source_tables AS s ON s.table_name = e.table_name
    WHERE NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_class AS c
        INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = e.attribute_number
        WHERE c.oid = e.table_id
            AND c.relname = e.table_name
            AND c.relnamespace = to_regnamespace(quote_ident(s.schema_name))
            AND a.attname = e.column_name
        OFFSET 0
    )
) AS swapped
WHERE swapped.reason IS NOT NULL
    AND NOT EXISTS (
        SELECT
        FROM projector.capture_gaps AS g
        WHERE g.healed_at IS NULL AND g.reinstalled_at IS NULL AND g.reason = swapped.reason
    );
