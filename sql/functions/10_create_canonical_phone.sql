-- The canonical form of a customer_phone: the digits of a phone, anything else trimmed, blank as null.
--
-- A phone is an optional leading +, ASCII digits (one at least), blanks and ( ) . - and nothing else.
-- One expression without a call to another function of ours, so that PostgreSQL inlines it: called as a function
-- it would cost a rebuild some microseconds a row.
CREATE OR REPLACE FUNCTION projector.canonical_phone(value text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN CASE
    WHEN btrim(value, E' \t\n\x0B\f\r\u00A0') ~ '^\+?[ ().-]*[0-9][0-9 ().-]*$'
        THEN translate(btrim(value, E' \t\n\x0B\f\r\u00A0'), '+ ().-', '')
    ELSE nullif(btrim(value, E' \t\n\x0B\f\r\u00A0'), '')
END;
