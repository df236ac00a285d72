-- The functions that convert values of the source to the form in which the read model stores and prints them.
--
-- `migrate` installs them. White space is blank, tab, line feed, vertical tab, form feed, carriage return and
-- no-break space. Each body is one expression, so that PostgreSQL inlines it: a call would cost a rebuild some
-- microseconds a row.

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

-- A name, an email or a company without the white space around it; null if nothing is left. The platform stores at most
-- 255 characters; a longer text is cut, with an ellipsis as its last of 255 characters, because an index holds no long
-- text. Only the first 65,536 characters are read, so that no huge text is fetched.
CREATE OR REPLACE FUNCTION projector.blank_to_null(value text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN CASE
    WHEN octet_length(value) <= 255 THEN nullif(btrim(value, E' \t\n\x0B\f\r\u00A0'), '')
    WHEN char_length(btrim(left(value, 65536), E' \t\n\x0B\f\r\u00A0')) <= 255
        THEN nullif(btrim(left(value, 65536), E' \t\n\x0B\f\r\u00A0'), '')
    ELSE left(btrim(left(value, 65536), E' \t\n\x0B\f\r\u00A0'), 254) || '…'
END;

-- The text of a search without accents, in lower case; null if that changes nothing but the case, as for most texts. An
-- accent is a mark that Unicode can separate from a letter, as in é; the letters ø and ł have none. The rest is
-- composed again, so that 김 stays one letter. The API does the same with words: see api/request/text.py.
--
-- Texts of ASCII skip the work.
CREATE OR REPLACE FUNCTION projector.without_accents(value text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN CASE
    WHEN octet_length(value) > char_length(value)
        THEN nullif(
            lower(
                normalize(regexp_replace(normalize(value, nfd), '[\u0300-\u036f]', '', 'g'), nfc)
                COLLATE "default"
            ),
            lower(value COLLATE "default")
        )
END;

-- The tag of an AI as Hot, Warm or Cold, ignoring case and surrounding white space; null for any other.
CREATE OR REPLACE FUNCTION projector.lead_status(tag text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN CASE lower(btrim(left(tag, 65536), E' \t\n\x0B\f\r\u00A0'))
    WHEN 'hot' THEN 'Hot'
    WHEN 'warm' THEN 'Warm'
    WHEN 'cold' THEN 'Cold'
END;

-- A platform in the form of `platforms` and of filters: a word of at most 20 of a-z, 0-9 and _, in lower case and
-- without the white space around it; null for anything else.
CREATE OR REPLACE FUNCTION projector.platform_word(value text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN CASE
    WHEN char_length(btrim(left(value, 65536), E' \t\n\x0B\f\r\u00A0')) <= 20
        THEN substring(
            lower(btrim(left(value, 65536), E' \t\n\x0B\f\r\u00A0') COLLATE "C") FROM '^[a-z0-9_]+$'
        )
END;

-- The platforms of two lists, once each and bytewise; null for none.
CREATE OR REPLACE FUNCTION projector.merge_platforms(these text[], others text[])
RETURNS text[]
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN (
    SELECT array_agg(DISTINCT p.platform COLLATE "C" ORDER BY p.platform COLLATE "C")
    FROM unnest(these || others) AS p (platform)
);

-- A time cut (not rounded) to the millisecond and clamped to the years 1 to 9999: no other time can be printed or given
-- as a bound. Any other time, including infinity, becomes the nearest of these.
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
--
-- to_char() is STABLE because of the names of months, which this format does not have.
CREATE OR REPLACE FUNCTION projector.format_time(value timestamptz)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN to_char(value AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- How long a reply window stays open after a message of the customer; null if the value is negative or above 366 days.
-- It is a number of seconds, which is the same in each month and time zone.
CREATE OR REPLACE FUNCTION projector.reply_window(value interval)
RETURNS interval
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN CASE
    WHEN value BETWEEN interval '0' AND interval '366 days' THEN interval '1 second' * extract(EPOCH FROM value)
END;

-- A text of at most this many bytes of UTF-8. A longer text is cut between two characters, and ends in the mark `…
-- [cut]`, which takes 9 bytes.
--
-- octet_length() does not fetch the text, and left() fetches only the beginning of a text that is stored out of line,
-- so that 400 MB cost as much as 64 KiB. A byte whose first two bits are 10 continues a character. A character has at
-- most four bytes, so one of four bytes begins a character.
CREATE OR REPLACE FUNCTION projector.cut_text(value text, bytes integer)
RETURNS text
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN CASE
    WHEN octet_length(value) <= bytes THEN value
    ELSE convert_from(
        substring(
            convert_to(left(value, bytes), 'UTF8') FROM 1 FOR CASE
                WHEN get_byte(convert_to(left(value, bytes), 'UTF8'), bytes - 9) & 192 <> 128 THEN bytes - 9
                WHEN get_byte(convert_to(left(value, bytes), 'UTF8'), bytes - 10) & 192 <> 128 THEN bytes - 10
                WHEN get_byte(convert_to(left(value, bytes), 'UTF8'), bytes - 11) & 192 <> 128 THEN bytes - 11
                ELSE bytes - 12
            END
        ),
        'UTF8'
    ) || '… [cut]'
END;

-- A text of the platform: at most 64 KiB (65,536 bytes) of it are stored.
CREATE OR REPLACE FUNCTION projector.cut_text(value text)
RETURNS text
LANGUAGE sql
STABLE
PARALLEL SAFE
RETURN projector.cut_text(value, 65536);
