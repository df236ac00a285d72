-- A text without the white space around it; null where nothing is left.
--
-- White space is blank, tab, line feed, vertical tab, form feed, carriage return and no-break space, everywhere in
-- the projection.
CREATE OR REPLACE FUNCTION projector.filled(value text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN nullif(btrim(value, E' \t\n\x0B\f\r\u00A0'), '');
