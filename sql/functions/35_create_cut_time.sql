-- A time of the source as the read model has it: cut to the millisecond, and brought into the years 1 to 9999.
--
-- Nothing else can be printed, nor be asked for as a bound: what a platform wrote that is older or newer, infinities
-- included, stands at the nearest moment that can. One expression, so that PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION projector.cut_time(value timestamptz)
RETURNS timestamptz
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN CASE
    WHEN value < '0001-01-01 00:00:00+00' THEN '0001-01-01 00:00:00+00'::timestamptz
    WHEN value > '9999-12-31 23:59:59.999+00' THEN '9999-12-31 23:59:59.999+00'::timestamptz
    ELSE date_trunc('milliseconds', value)
END;
