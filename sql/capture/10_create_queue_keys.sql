-- Append the keys of changed rows to the queue: one row for a single key, else one for each shard and some 500 keys.
--
-- Runs inside the platform's own statement, so it looks nothing up and can break no rule: see the queue's table.
-- More than 100 keys of one statement are a mass change, which gives way to single ones.
CREATE OR REPLACE FUNCTION projector.queue_keys(change_kind text, changed_keys text[])
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key_count integer := cardinality(changed_keys);
BEGIN
    IF key_count = 1 THEN
        INSERT INTO projector.changes (shard, kind, keys)
        VALUES (projector.shard_of(changed_keys[1]), change_kind, changed_keys);
    ELSIF key_count > 1 THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, key_count > 100, change_kind, array_agg(DISTINCT hashed.key)
        FROM (
            SELECT changed.key, (hashtext(coalesce(changed.key, '')) & 2147483647) % (4 * (key_count / 500 + 1)) AS bucket
            FROM unnest(changed_keys) AS changed (key)
        ) AS hashed
        GROUP BY hashed.bucket;
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION projector.queue_keys(text, text[]) FROM public;
