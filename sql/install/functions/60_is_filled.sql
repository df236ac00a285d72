-- Whether a rebuild has filled a table, a column or all attributes of a level, by its name in projection.parts: for
-- queries in leads_sql.
--
-- The body is a string: Citus cannot send a body with dependencies to its servers.
CREATE OR REPLACE FUNCTION projector.is_filled(name text)
RETURNS boolean
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
SELECT NOT EXISTS (
    SELECT
    FROM read_model.projection AS p
    CROSS JOIN LATERAL jsonb_each(p.unfilled) AS part
    CROSS JOIN LATERAL jsonb_array_elements_text(part.value -> 'reads') AS r (name)
    WHERE r.name = is_filled.name OR starts_with(r.name, is_filled.name || '.')
)
$function$;

-- Raises an error that says what to do if it is not filled yet.
CREATE OR REPLACE FUNCTION projector.require_filled(name text)
RETURNS boolean
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT projector.is_filled(name) THEN
        RAISE EXCEPTION '%', name || ' is not built yet'
            USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'It is when the rebuild that follows an upgrade has ended: `python -m projector status` shows how far that is.';
    END IF;
    RETURN true;
END
$function$;
