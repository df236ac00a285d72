-- The functions that make the attributes of a lead, or of a conversation, from what the mapping gives.
--
-- `migrate` puts in {types_of_leads} and {types_of_conversations}: the names that the mapping declares, each with its
-- type. An attribute is a text, a number, a boolean, or a list of these. A date and a time are texts.

-- The type of each declared attribute at a level, lead or conversation; `elsewhere` for attributes of the other level.
CREATE OR REPLACE FUNCTION projector.attribute_types(level text)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN CASE level
    WHEN 'lead' THEN {types_of_leads}::jsonb
    WHEN 'conversation' THEN {types_of_conversations}::jsonb
END;

-- A text without the white space around it, cut to 2 KiB; null for a blank.
CREATE OR REPLACE FUNCTION projector.attribute_text(value text)
RETURNS jsonb
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN to_jsonb(projector.cut_text(nullif(btrim(left(value, 65536), E' \t\n\x0B\f\r\u00A0'), ''), 2048));

-- A number without trailing zeros: 10.0 becomes 10. Null for NaN and infinity, which JSON does not have, and for a
-- number with more than 308 digits before the point or 400 after it, which no double has: an index cannot hold a number
-- of thousands of digits.
CREATE OR REPLACE FUNCTION projector.attribute_number(value numeric)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN CASE WHEN abs(value) < 1e308 AND min_scale(value) <= 400 THEN to_jsonb(trim_scale(value)) END;

-- A date of the years 1 to 9999; any other date becomes the nearest of these. Null for infinity.
CREATE OR REPLACE FUNCTION projector.attribute_date(value date)
RETURNS jsonb
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN to_jsonb(
    to_char(CASE WHEN isfinite(value) THEN greatest(least(value, '9999-12-31'), '0001-01-01') END, 'YYYY-MM-DD')
);

-- A time in the form of all printed times. Null for infinity.
CREATE OR REPLACE FUNCTION projector.attribute_time(value timestamptz)
RETURNS jsonb
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN CASE WHEN isfinite(value) THEN to_jsonb(projector.format_time(projector.clamp_time(value))) END;

-- A value within JSON as jsonb; the noncharacter U+FFFF if a number in it has too many digits.
CREATE OR REPLACE FUNCTION projector.read_json_value(value text)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
PARALLEL UNSAFE
AS $definition$
BEGIN
    RETURN value::jsonb;
EXCEPTION
    WHEN data_exception OR program_limit_exceeded THEN
        RETURN to_jsonb(chr(65535));
END
$definition$;

-- A text of JSON as jsonb. jsonb cannot hold every JSON. The noncharacter U+FFFF, which no attribute has, replaces
-- U+0000, half a surrogate pair, and a value at the first level if a number in it has too many digits. If even that
-- fails, the result is null.
--
-- Anybody may have written the text, so each step takes time proportional to its length. There is no look-behind,
-- because PostgreSQL starts each one at the first character. Escaped backslashes are replaced first, so that each
-- backslash begins an escape. \p, which JSON does not have, hides the pairs of surrogates while the halves are
-- replaced.
CREATE OR REPLACE FUNCTION projector.read_json(value text)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
PARALLEL UNSAFE
AS $definition$
DECLARE
    repaired text;
BEGIN
    RETURN value::jsonb;
EXCEPTION
    WHEN data_exception OR program_limit_exceeded THEN
        BEGIN
            repaired := replace(replace(value, '\\', '\u005c'), '\u0000', '\uFFFF');
            repaired := regexp_replace(repaired, '\\(u[dD][89abAB]..)\\(u[dD][c-fC-F]..)', '\\p\1\\p\2', 'g');
            repaired := replace(regexp_replace(repaired, '\\u[dD][89a-fA-F]..', '\\uFFFF', 'g'), '\p', '\');
            RETURN (
                SELECT coalesce(jsonb_object_agg(e.key, projector.read_json_value(e.value::text)), jsonb_build_object())
                FROM json_each(repaired::json) AS e
            );
        EXCEPTION
            WHEN data_exception OR program_limit_exceeded THEN
                RETURN NULL;
        END;
END
$definition$;

-- A value of JSON as an attribute: a text trimmed and cut, a number without trailing zeros, a list without null or
-- blank items. Null for null, a blank, an empty list, an object, and a list of anything but scalars.
CREATE OR REPLACE FUNCTION projector.attribute_of_json(value jsonb)
RETURNS jsonb
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $definition$
SELECT CASE jsonb_typeof(value)
    WHEN 'string' THEN projector.attribute_text(value #>> ARRAY[]::text [])
    WHEN 'number' THEN projector.attribute_number(value::numeric)
    WHEN 'boolean' THEN value
    WHEN 'array' THEN (
        SELECT
            CASE
                WHEN NOT bool_or(jsonb_typeof(item.value) IN ('object', 'array'))
                    THEN jsonb_agg(made.value ORDER BY item.place) FILTER (WHERE made.value IS NOT NULL)
            END
        FROM jsonb_array_elements(value) WITH ORDINALITY AS item (value, place)
        CROSS JOIN LATERAL (
            SELECT
                CASE jsonb_typeof(item.value)
                    WHEN 'string' THEN projector.attribute_text(item.value #>> ARRAY[]::text [])
                    WHEN 'number' THEN projector.attribute_number(item.value::numeric)
                    WHEN 'boolean' THEN item.value
                END AS value
        ) AS made
    )
END
$definition$;

-- The attributes of a lead or a conversation, or null, and how many of them were left out.
--
-- sources is a list of objects of attributes. For each name, the first object with a value counts. Objects at odd
-- places are made from declared columns. Those at even places are unchecked JSON: a value counts only if its name
-- matches [a-z][a-z0-9_]*, has at most 40 characters, and is not declared with another type, as which `elsewhere`
-- always counts. types are the declared ones.
--
-- At most 64 attributes and 8 KiB as JSON text are kept: declared ones first, then bytewise by their names.
CREATE OR REPLACE FUNCTION projector.merge_any_attributes(sources jsonb [], types jsonb)
RETURNS TABLE (attributes jsonb, left_out integer)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $definition$
SELECT
    jsonb_object_agg(named.name, named.value) FILTER (WHERE named.is_kept) AS attributes,
    (count(*) FILTER (WHERE NOT named.is_kept))::integer AS left_out
FROM (
    SELECT
        chosen.name,
        chosen.value,
        chosen.is_valid
        AND count(*) FILTER (WHERE chosen.is_valid) OVER in_order <= 64
        -- A name with its quotes, a colon, a comma and two blanks.
        AND sum(octet_length(chosen.name) + octet_length(chosen.value::text) + 6)
            FILTER (WHERE chosen.is_valid) OVER in_order <= 8192 AS is_kept
    FROM (
        SELECT DISTINCT ON (entry.key)
            entry.key COLLATE "C" AS name,
            made.value,
            validity.is_valid
        FROM unnest(sources) WITH ORDINALITY AS source (object, place)
        CROSS JOIN LATERAL jsonb_each(
            CASE jsonb_typeof(source.object) WHEN 'object' THEN source.object END
        ) AS entry
        CROSS JOIN LATERAL (
            SELECT CASE WHEN source.place % 2 = 1 THEN entry.value ELSE projector.attribute_of_json(entry.value) END AS value
            -- Else PostgreSQL would make the value again wherever it stands.
            OFFSET 0
        ) AS made
        CROSS JOIN LATERAL (
            SELECT
                source.place % 2 = 1
                OR made.value::text NOT LIKE '%' || chr(65535) || '%'
                AND CASE coalesce(types ->> entry.key, jsonb_typeof(made.value))
                    WHEN 'text' THEN jsonb_typeof(made.value) = 'string'
                    WHEN 'list' THEN jsonb_typeof(made.value) = 'array'
                    WHEN 'date' THEN made.value #>> ARRAY[]::text [] ~ '^\d\d\d\d-\d\d-\d\d$'
                    WHEN 'time' THEN made.value #>> ARRAY[]::text []
                        ~ '^\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$'
                    ELSE jsonb_typeof(made.value) = coalesce(types ->> entry.key, jsonb_typeof(made.value))
                END AS is_valid
            OFFSET 0
        ) AS validity
        WHERE made.value IS NOT NULL AND entry.key ~ '^[a-z][a-z0-9_]*$' AND length(entry.key) <= 40
        ORDER BY entry.key, validity.is_valid DESC, source.place
    ) AS chosen
    WINDOW in_order AS (ORDER BY types ? chosen.name DESC, chosen.name)
) AS named
$definition$;

-- Whether each value of some JSON is already an attribute, with a name that is not declared; the length of names is not
-- checked. Most JSON passes, and the rest is checked name by name. A pattern that also counted would take four times as
-- long.
CREATE OR REPLACE FUNCTION projector.has_plain_attributes(value jsonb, declared text [])
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN value::text ~ (
        '^\u007B(?:"[a-z][a-z0-9_]*": (?:'
        || '\[(?:(?:true|false|-?[0-9]+(?:\.[0-9]*[1-9])?|"[^"\\ \u00A0\uFFFF](?:[^"\\\uFFFF]*[^"\\ \u00A0\uFFFF])?")(?:, )?)+\]'
        || '|true|false|-?[0-9]+(?:\.[0-9]*[1-9])?|"[^"\\ \u00A0\uFFFF](?:[^"\\\uFFFF]*[^"\\ \u00A0\uFFFF])?"'
        || ')(?:, )?)*\u007D$'
    )
    AND octet_length(value::text) <= 2048
    AND (octet_length(value::text) <= 300 OR value::text !~ repeat('[0-9.]', 200))
    AND NOT value ?| declared;

-- The same as merge_any_attributes, which it only calls if a value has to be changed or left out.
CREATE OR REPLACE FUNCTION projector.merge_attributes(sources jsonb [], types jsonb)
RETURNS TABLE (attributes jsonb, left_out integer)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $definition$
SELECT
    CASE WHEN m.is_plain THEN nullif(m.plain, jsonb_build_object()) ELSE nullif(m.other -> 'attributes', 'null') END AS attributes,
    CASE WHEN m.is_plain THEN 0 ELSE (m.other -> 'left_out')::integer END AS left_out
FROM (
    SELECT
        p.plain,
        p.is_plain,
        CASE
            WHEN NOT p.is_plain
                THEN (SELECT to_jsonb(other) FROM projector.merge_any_attributes(sources, types) AS other)
        END AS other
    FROM (
        SELECT
            u.plain,
            u.is_clean
            AND CASE
                -- A name and its value take eight bytes at least.
                WHEN octet_length(u.plain::text) <= 512 THEN true
                WHEN octet_length(u.plain::text) <= 8192 THEN (SELECT count(*) <= 64 FROM jsonb_object_keys(u.plain))
                ELSE false
            END AS is_plain
        FROM (
            SELECT
                coalesce(s.last_json, jsonb_build_object()) || coalesce(s.last_declared, jsonb_build_object())
                || coalesce(s.first_json, jsonb_build_object()) || coalesce(s.first_declared, jsonb_build_object()) AS plain,
                CASE WHEN s.first_json IS NULL THEN true ELSE projector.has_plain_attributes(s.first_json, s.declared) END
                AND CASE WHEN s.last_json IS NULL THEN true ELSE projector.has_plain_attributes(s.last_json, s.declared) END
                AND CASE
                    WHEN s.first_json IS NULL AND s.last_json IS NULL THEN true
                    ELSE NOT EXISTS (
                        SELECT FROM jsonb_object_keys(coalesce(s.first_json, jsonb_build_object()) || coalesce(s.last_json, jsonb_build_object())) AS name
                        WHERE length(name) > 40
                    )
                END AS is_clean
            FROM (
                SELECT
                    sources[1] AS first_declared,
                    jsonb_strip_nulls(sources[2]) AS first_json,
                    sources[3] AS last_declared,
                    jsonb_strip_nulls(sources[4]) AS last_json,
                    ARRAY(SELECT jsonb_object_keys(types)) AS declared
                OFFSET 0
            ) AS s
            OFFSET 0
        ) AS u
        OFFSET 0
    ) AS p
    OFFSET 0
) AS m
$definition$;
