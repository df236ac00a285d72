-- The keys of the rows that name a lead, and this lead: one row of projector.source_keys for each row of the source.
-- The texts in braces are made from sql/definition/kinds.sql: a part for each kind of key.
--
-- A row without a tenant, or with a blank phone, belongs to no lead and has no row here. projector.current_keys() has
-- the keys of all rows, and projector.current_key() that of one row. projector.is_key() says whether a text can be a
-- key of this kind on the platform: a numeric id has no letters.
DROP FUNCTION IF EXISTS projector.current_contacts();
DROP FUNCTION IF EXISTS projector.current_template_sends();
DROP FUNCTION IF EXISTS projector.current_keys();
CREATE FUNCTION projector.current_keys()
RETURNS TABLE (
    kind text,
    key text,
    user_id text,
    customer_phone text
)
LANGUAGE sql
STABLE
AS $definition$
{rows_of_keys}
$definition$;

DROP FUNCTION IF EXISTS projector.current_key(text, text);
CREATE FUNCTION projector.current_key(of_kind text, of_key text)
RETURNS TABLE (
    user_id text,
    customer_phone text
)
LANGUAGE sql
STABLE
AS $definition$
{rows_of_key}
$definition$;

CREATE OR REPLACE FUNCTION projector.is_key(of_kind text, of_key text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
AS $definition$
SELECT {checks_of_key}
$definition$;
