-- The template of the trigger function of a source table: it queues the changes of a statement, or under the replica
-- role those of a row.
--
-- projector/capture/triggers.py fills it in from the mapping: {function}; {kind} of change; {queue_key_name}, the
-- column that is queued, and {primary_key_name}, also as {new_queue_key} and so on, which print a key of a row;
-- {has_ids}, whether the primary keys of the rows are queued too; {old_rows} and {new_rows}, the transition tables as
-- 35_changed_rows.sql reads them; {queue_old_rows}, {queue_new_rows} and {queue_updated_rows}, the texts of
-- 37_queued_rows.sql for these and for 36_updated_rows.sql; and the columns that the projection reads, as {o_columns}
-- and {n_columns} of the transition tables, and as {old_columns} and {new_columns} of a row.
--
-- It reads only columns of the row itself, old and new, and joins nothing: when a cascade deletes messages, their
-- conversation is already gone. An update queues nothing if it changes no column that the projection reads. Rows are
-- compared byte by byte (*<>), since a collation may call different texts equal.
--
-- The ids of messages are queued, so that a refresh reads only the changed part of a long history. A row of the queue
-- holds about 250 ids of one shard, with all those of a conversation together. More than 100 rows of one statement are
-- a mass change (bulk), which waits for single changes. For more than 100,000 messages each row holds at most 1,000,
-- even of one conversation, because the size of an array is limited.
--
-- Grouping costs more than inserting, and a platform mostly writes single rows. So each of up to four new rows, and a
-- row that is updated alone, has its own row of the queue. It has a key that the update does not change only once: a
-- refresh would expand an agent's key to all of the agent's conversations as often as the key is in the row.
--
-- A row trigger has records instead of transition tables. A missing field of a record is an error, and so is one whose
-- type has changed since the session first read it. So they are read in a block that catches errors. It writes nothing,
-- so it takes no transaction id. After an error the keys are read from the row as JSON, and the row counts as changed.
--
-- No statement has both variables and columns of the platform, which could have the same names.
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
    changed_ids text[];
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys, message_ids)
            SELECT n.shard, {kind}, ARRAY[n.changed_key], CASE WHEN {has_ids} THEN ARRAY[n.changed_id] END
            FROM ({new_rows}) AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys, message_ids)
            SELECT
                o.shard,
                {kind},
                CASE
                    WHEN o.changed_key = n.changed_key THEN ARRAY[o.changed_key]
                    ELSE ARRAY[o.changed_key, n.changed_key]
                END,
                CASE
                    WHEN NOT {has_ids} THEN NULL
                    WHEN o.changed_id = n.changed_id THEN ARRAY[o.changed_id]
                    ELSE ARRAY[o.changed_id, n.changed_id]
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
        PERFORM projector.queue_keys('truncate', ARRAY[{kind}]);
        RETURN NULL;
    ELSE
        BEGIN
            IF TG_OP = 'INSERT' THEN
                changed_keys := ARRAY[{new_queue_key}];
                changed_ids := ARRAY[{new_primary_key}];
            ELSIF TG_OP = 'DELETE' THEN
                changed_keys := ARRAY[{old_queue_key}];
                changed_ids := ARRAY[{old_primary_key}];
            ELSIF ROW({old_columns})::record *<> ROW({new_columns})::record THEN
                changed_keys := ARRAY[{old_queue_key}, {new_queue_key}];
                changed_ids := ARRAY[{old_primary_key}, {new_primary_key}];
            END IF;
        EXCEPTION
            WHEN OTHERS THEN
                changed_keys := ARRAY['leads_capture: no key'];
                changed_ids := changed_keys;
                BEGIN
                    changed_keys := projector.read_keys(to_jsonb(OLD), to_jsonb(NEW), {queue_key_name});
                    changed_ids := projector.read_keys(to_jsonb(OLD), to_jsonb(NEW), {primary_key_name});
                EXCEPTION
                    WHEN OTHERS THEN NULL; -- The row is too large for JSON.
                END;
        END;
        IF changed_keys IS NOT NULL THEN
            PERFORM projector.queue_keys({kind}, changed_keys, CASE WHEN {has_ids} THEN changed_ids END);
        END IF;
        RETURN NULL;
    END IF;

    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        {queue_new_rows};
    ELSIF TG_OP = 'DELETE' THEN
        {queue_old_rows};
    ELSE
        {queue_updated_rows};
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION projector.{function}() FROM public;
