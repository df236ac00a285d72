-- A time as the API prints it: UTC, ISO 8601, milliseconds (cut, not rounded: times are cut when they are projected).
CREATE OR REPLACE FUNCTION projector.printed_time(value timestamptz)
RETURNS text
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN to_char(value AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
