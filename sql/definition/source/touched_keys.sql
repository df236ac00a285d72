-- The keys that a change of a row touches by the rules of the mapping that read the platform's tables: `of_key` is the
-- old or the new value of the column that is queued. A rule compares it in the platform's type, so that the platform's
-- indexes can be used. projector.touching_kinds has the kinds of keys that each kind of change touches.
DROP FUNCTION IF EXISTS projector.touched_keys(text, text);
CREATE FUNCTION projector.touched_keys(of_kind text, of_key text)
RETURNS TABLE (kind text, key text, queued_kind text)
LANGUAGE sql
STABLE
AS $definition$
{touched_keys}
$definition$;

CREATE OR REPLACE VIEW projector.touching_kinds AS
SELECT
    k.change_kind::text AS change_kind,
    k.key_kind::text AS key_kind,
    k.queued_kind::text AS queued_kind
FROM ({touching_kinds}) AS k (change_kind, key_kind, queued_kind);
COMMENT ON VIEW projector.touching_kinds IS 'What a change of a row touches beside rows of its own.';
