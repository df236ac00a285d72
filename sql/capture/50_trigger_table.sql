-- The template of the trigger function of every other source table: it queues the keys of the rows that a statement
-- changed, or under the replica role a row. The rules are those of messages.
--
-- projector/capture/triggers.py fills it in from projector/source.py: {function}; {table}, its name; {kind} of
-- change; {queue_key}, the column that is queued; {primary_key}; and the columns that the projection reads, as
-- {old_columns} and {new_columns} of a row, and as {o_columns} and {n_columns} of the transition tables.
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
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT projector.shard_of(n.{queue_key}::text), {kind}, ARRAY[n.{queue_key}::text]
            FROM new_rows AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                projector.shard_of(o.{queue_key}::text),
                {kind},
                CASE
                    WHEN o.{queue_key} = n.{queue_key} THEN ARRAY[o.{queue_key}::text]
                    ELSE ARRAY[o.{queue_key}::text, n.{queue_key}::text]
                END
            FROM old_rows AS o
            CROSS JOIN new_rows AS n
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
        IF TG_OP = 'INSERT' THEN
            PERFORM projector.queue_keys({kind}, ARRAY[NEW.{queue_key}::text]);
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM projector.queue_keys({kind}, ARRAY[OLD.{queue_key}::text]);
        ELSIF ROW({old_columns})::record *<> ROW({new_columns})::record THEN
            PERFORM projector.queue_keys({kind}, ARRAY[OLD.{queue_key}::text, NEW.{queue_key}::text]);
        END IF;
        RETURN NULL;
    END IF;

    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, {kind}, array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                n.{queue_key}::text AS key,
                (hashtext(coalesce(n.{queue_key}, '')) & 2147483647) % pieces AS bucket
            FROM new_rows AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, {kind}, array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                o.{queue_key}::text AS key,
                (hashtext(coalesce(o.{queue_key}, '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, {kind}, array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                either.key::text AS key,
                (hashtext(coalesce(either.key, '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
            FULL JOIN new_rows AS n ON n.{primary_key} = o.{primary_key}
            CROSS JOIN LATERAL (VALUES (o.{queue_key}), (n.{queue_key})) AS either (key)
            WHERE either.key IS NOT NULL AND ROW({o_columns})::record *<> ROW({n_columns})::record
        ) AS hashed
        GROUP BY hashed.bucket;
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION projector.{function}() FROM public;
