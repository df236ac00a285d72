-- The functions that bring values of the source into the form in which the read model stores and prints them.
--
-- `migrate` installs them. White space is blank, tab, line feed, vertical tab, form feed, carriage return and
-- no-break space. Each body is one expression that calls no other function of ours, so that PostgreSQL inlines it: a
-- call would cost a rebuild some microseconds a row.

-- The canonical form of a customer_phone: the digits of a phone, anything else trimmed, null for a blank.
-- A phone is an optional leading +, ASCII digits (at least one), blanks and ( ) . - and nothing else.
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

-- A text without the white space around it; null if nothing is left.
CREATE OR REPLACE FUNCTION projector.blank_to_null(value text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN nullif(btrim(value, E' \t\n\x0B\f\r\u00A0'), '');

-- The tag that an AI wrote as Hot, Warm or Cold, whatever its case and the white space around it; null for any other.
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

-- A time cut (not rounded) to the millisecond and clamped to the years 1 to 9999: no other can be printed, or be
-- given as a bound. An older or newer one, infinity included, becomes the nearest that can.
CREATE OR REPLACE FUNCTION projector.clamp_time(value timestamptz)
RETURNS timestamptz
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN CASE
    WHEN value < '0001-01-01 00:00:00+00' THEN '0001-01-01 00:00:00+00'::timestamptz
    WHEN value > '9999-12-31 23:59:59.999+00' THEN '9999-12-31 23:59:59.999+00'::timestamptz
    ELSE date_trunc('milliseconds', value)
END;

-- A time as the API prints it: UTC, ISO 8601, milliseconds.
CREATE OR REPLACE FUNCTION projector.format_time(value timestamptz)
RETURNS text
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN to_char(value AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
