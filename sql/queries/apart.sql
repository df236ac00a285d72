-- What is asked only where the read model is in a database of its own.

-- name: read_clock
-- Returns the clock of the platform's server: that of the other server may go before it, or behind.
SELECT clock_timestamp() AS clock;

-- name: describe_rows
-- Returns no row: what is asked for are the columns of what a step brings.
SELECT b.*
FROM ({rows}) AS b
LIMIT 0;

-- name: name_if_filled
-- Returns the name of a staging table, if it has rows. The projector puts these together, one for each table.
SELECT '{staging_table}' AS name
WHERE EXISTS (SELECT FROM pg_temp.{staging_table});

-- name: find_new_places
-- Returns: kinds, keys, user_ids and customer_phones, arrays of one length: the stale keys that are new or have moved,
-- each with the lead that it belongs to now.
SELECT
    coalesce(array_agg(k.kind), '{}') AS kinds,
    coalesce(array_agg(k.key), '{}') AS keys,
    coalesce(array_agg(k.user_id), '{}') AS user_ids,
    coalesce(array_agg(k.customer_phone), '{}') AS customer_phones
FROM stale_keys AS s
CROSS JOIN LATERAL (
    SELECT sk.*
    FROM projector.source_keys AS sk
    WHERE sk.kind = s.kind AND sk.key = s.key
    OFFSET 0
) AS k
WHERE (k.user_id, k.customer_phone) IS DISTINCT FROM (s.old_user_id, s.old_customer_phone);

-- name: note_places
-- Parameters: as find_new_places returns them.
INSERT INTO projector.noted_keys (kind, key, user_id, customer_phone)
SELECT
    n.kind,
    n.key,
    n.user_id,
    n.customer_phone
FROM unnest(%(kinds)s::text[], %(keys)s::text[], %(user_ids)s::text[], %(customer_phones)s::text[])
    AS n (kind, key, user_id, customer_phone);

-- name: forget_places
-- Deletes the notes of the stale keys whose leads this transaction makes right: those that it compares fully, and those
-- that the keys belong to now.
DELETE FROM projector.noted_keys AS n
USING stale_keys AS s
WHERE n.kind = s.kind
    AND n.key = s.key
    AND (
        EXISTS (
            SELECT
            FROM lead_invalidations AS i
            WHERE i.compare_fully AND i.user_id = n.user_id AND i.customer_phone = n.customer_phone
        )
        OR EXISTS (
            SELECT
            FROM projector.source_keys AS k
            WHERE k.kind = n.kind
                AND k.key = n.key
                AND k.user_id = n.user_id
                AND k.customer_phone = n.customer_phone
        )
    );
