-- What a verify found to differ: noted in projector.drift, and ended there when it is right again.

-- name: note
-- Notes items that differ. One that differs already keeps its row, and when it was found.
--
-- Parameters: kinds, user_ids, customer_phones, keys, fields and first_fields, arrays of one length with each item
-- once; at, when the comparison began. Returns: found, how many of them are new.
WITH noted AS (
    INSERT INTO projector.drift AS d (
        kind, user_id, customer_phone, key, fields, first_field, found_at, seen_at
    )
    SELECT
        i.kind,
        i.user_id,
        i.customer_phone,
        i.key,
        i.fields,
        i.first_field,
        %(at)s,
        %(at)s
    FROM unnest(
        %(kinds)s::text[], %(user_ids)s::text[], %(customer_phones)s::text[], %(keys)s::text[],
        %(fields)s::integer[], %(first_fields)s::text[]
    ) AS i (kind, user_id, customer_phone, key, fields, first_field)
    ORDER BY i.kind, i.user_id, i.customer_phone, i.key
    ON CONFLICT (kind, user_id, customer_phone, key) WHERE ended_at IS NULL DO UPDATE SET
        fields = excluded.fields,
        first_field = excluded.first_field,
        seen_at = greatest(d.seen_at, excluded.seen_at)
    RETURNING d.xmax = 0 AS is_new
)

SELECT count(*) FILTER (WHERE noted.is_new) AS found
FROM noted;

-- name: end_items
-- Ends what differed of these items, unless it was seen again since.
--
-- Parameters: kinds, user_ids, customer_phones and keys, arrays of one length; before, when the comparison or the heal
-- began; at, when they are right again; outcome. A key is one item whatever lead it was found under.
UPDATE projector.drift AS d
SET ended_at = %(at)s, outcome = %(outcome)s
FROM unnest(%(kinds)s::text[], %(user_ids)s::text[], %(customer_phones)s::text[], %(keys)s::text[])
    AS i (kind, user_id, customer_phone, key)
WHERE d.ended_at IS NULL
    AND d.seen_at < %(before)s
    AND d.kind = i.kind
    AND d.key = i.key
    AND (i.key <> '' OR (d.user_id = i.user_id AND d.customer_phone = i.customer_phone));

-- name: end_rebuilt
-- Ends what differed before a rebuild. Parameters: tenants, null for all; before, when the rebuild began.
UPDATE projector.drift AS d
SET ended_at = clock_timestamp(), outcome = 'rebuilt'
WHERE d.ended_at IS NULL
    AND d.seen_at < %(before)s
    AND (%(tenants)s::text[] IS NULL OR d.user_id = any(%(tenants)s::text[]));

-- name: end_statistics
-- Ends what differed of the statistics of tenants that have neither leads nor statistics any more: every tenant that
-- has some was compared since. Parameters: tenants, null for all; before, when the comparison of the first began; at.
UPDATE projector.drift AS d
SET ended_at = %(at)s, outcome = 'right'
WHERE d.ended_at IS NULL
    AND d.seen_at < %(before)s
    AND d.kind = 'statistics'
    AND (%(tenants)s::text[] IS NULL OR d.user_id = any(%(tenants)s::text[]));

-- name: read_open
-- Returns kind, user_id, customer_phone, key of the leads and keys that differ and were not seen to since.
-- Parameters: tenants, null for all; before.
SELECT
    d.kind,
    d.user_id,
    d.customer_phone,
    d.key
FROM projector.drift AS d
WHERE d.ended_at IS NULL
    AND d.seen_at < %(before)s
    AND d.kind <> 'statistics'
    AND (%(tenants)s::text[] IS NULL OR d.user_id = any(%(tenants)s::text[]))
ORDER BY d.kind, d.user_id, d.customer_phone, d.key;

-- name: read_verified
-- Returns: proved_at, round_done and open_differences, as read_model.projection has them.
SELECT
    (SELECT max(r.finished_at) FROM projector.verify_rounds AS r) AS proved_at,
    (
        SELECT least(r.rows_done::real / greatest(r.rows_total, 1), 0.999)
        FROM projector.verify_rounds AS r
        WHERE r.finished_at IS NULL
    )::real AS round_done,
    (SELECT count(*) FROM projector.drift AS d WHERE d.ended_at IS NULL) AS open_differences;

-- name: publish
-- Writes what the metrics of the API show.
--
-- Parameters: proved_at, round_done and open_differences; found, how many items were found since the last time.
UPDATE read_model.projection AS p
SET proved_at = %(proved_at)s,
    round_done = %(round_done)s,
    open_differences = %(open_differences)s,
    found_differences = p.found_differences + %(found)s
WHERE (p.proved_at, p.round_done, p.open_differences) IS DISTINCT FROM
    (%(proved_at)s::timestamptz, %(round_done)s::real, %(open_differences)s::bigint)
    OR %(found)s > 0;
