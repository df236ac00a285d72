-- Return a column of a changed row, old and new, if the row trigger could not read it as a field of a record.
--
-- Parameters: the old row and the new one as JSON, or null, and the name of the column. If a row has no such column,
-- its key is 'leads_capture: no key'.
CREATE OR REPLACE FUNCTION projector.read_keys(old_row jsonb, new_row jsonb, column_name text)
RETURNS text[]
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT array_agg(
        CASE WHEN changed.image ? column_name THEN changed.image ->> column_name ELSE 'leads_capture: no key' END
    )
    FROM (VALUES (old_row), (new_row)) AS changed (image)
    WHERE changed.image IS NOT NULL;
END;
REVOKE EXECUTE ON FUNCTION projector.read_keys(jsonb, jsonb, text) FROM public;
