-- An AI's tag as one of Hot, Warm and Cold, whatever its case and the white space around it; null for anything else.
CREATE OR REPLACE FUNCTION projector.lead_status(tag text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN CASE lower(btrim(tag, E' \t\n\x0B\f\r\u00A0'))
    WHEN 'hot' THEN 'Hot'
    WHEN 'warm' THEN 'Warm'
    WHEN 'cold' THEN 'Cold'
END;
