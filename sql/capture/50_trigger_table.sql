-- The template of the trigger function of every other source table: it queues the keys of the rows that a statement
-- changed, or under the replica role a row. The rules are those of messages.
--
-- projector/capture/functions.py fills it in from projector/capture/source.py: {function}; {table}, its name; {kind} of
-- change; {queue_key}, the column that is queued; and rows and columns as for messages.
--
-- A key that an update does not change is in its row of the queue once: a refresh spreads an agent's key to all of
-- the agent's conversations, as often as the key is in the row.
CREATE OR REPLACE FUNCTION projector.{function}()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    changed_rows bigint;
    pieces bigint;
    changed_keys text[];
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT n.shard, {kind}, ARRAY[n.changed_key]
            FROM ({new_rows}) AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                o.shard,
                {kind},
                CASE
                    WHEN o.changed_key = n.changed_key THEN ARRAY[o.changed_key]
                    ELSE ARRAY[o.changed_key, n.changed_key]
                END
            FROM ({old_rows}) AS o
            CROSS JOIN ({new_rows}) AS n
            WHERE ROW({o_columns})::record *<> ROW({n_columns})::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY[{table}]);
        RETURN NULL;
    ELSE
        BEGIN
            IF TG_OP = 'INSERT' THEN
                changed_keys := ARRAY[NEW.{queue_key}::text];
            ELSIF TG_OP = 'DELETE' THEN
                changed_keys := ARRAY[OLD.{queue_key}::text];
            ELSIF ROW({old_columns})::record *<> ROW({new_columns})::record THEN
                changed_keys := ARRAY[OLD.{queue_key}::text, NEW.{queue_key}::text];
            END IF;
        EXCEPTION
            WHEN OTHERS THEN
                changed_keys := ARRAY['leads_capture: no key'];
                BEGIN
                    changed_keys := projector.read_keys(to_jsonb(OLD), to_jsonb(NEW), {queue_key_name});
                EXCEPTION
                    WHEN OTHERS THEN NULL; -- The row is too large for JSON.
                END;
        END;
        IF changed_keys IS NOT NULL THEN
            PERFORM projector.queue_keys({kind}, changed_keys);
        END IF;
        RETURN NULL;
    END IF;

    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, {kind}, array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                n.shard,
                n.changed_key,
                (hashtext(coalesce(n.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM ({new_rows}) AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, {kind}, array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                o.shard,
                o.changed_key,
                (hashtext(coalesce(o.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM ({old_rows}) AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, {kind}, array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                either.shard,
                either.changed_key,
                (hashtext(coalesce(either.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM ({old_rows} OFFSET 0) AS o
            FULL JOIN ({new_rows} OFFSET 0) AS n ON n.changed_id = o.changed_id
            CROSS JOIN LATERAL (VALUES (o.shard, o.changed_key), (n.shard, n.changed_key)) AS either (shard, changed_key)
            WHERE either.shard IS NOT NULL AND ROW({o_columns})::record *<> ROW({n_columns})::record
        ) AS hashed
        GROUP BY hashed.bucket;
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION projector.{function}() FROM public;
