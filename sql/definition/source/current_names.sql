-- One row of read_model.tenant_names for each tenant whose name the platform has.
--
-- user_id keeps the type and the collation of the source, so that an index of the source can find it. The API takes no
-- user_id of more than 255 characters.
DROP FUNCTION IF EXISTS projector.current_names();
CREATE FUNCTION projector.current_names()
RETURNS TABLE (
    user_id {user_id},
    name text
)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    t.user_id,
    projector.blank_to_null(t.name) AS name
FROM projector.source_tenants() AS t
WHERE projector.blank_to_null(t.name) IS NOT NULL AND char_length(t.user_id::text) <= 255
$definition$;
