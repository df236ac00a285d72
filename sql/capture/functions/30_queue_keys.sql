-- Append the keys of one changed row, the old and the new one, to the queue.
--
-- It runs inside a statement of the platform, so it reads no table, and no constraint can make it fail: see the
-- queue's table. A row whose key could not be read goes to shard -1, as in 35_changed_rows.sql.
--
-- A transaction's rows beyond a hundred are a mass change, which waits for single changes. Each row has its own call,
-- so they are counted by the length of a setting. That costs little, ends with the transaction, and is rolled back with
-- a savepoint. A session that writes the setting only changes the order of work.
CREATE OR REPLACE FUNCTION projector.queue_keys(change_kind text, changed_keys text[], changed_ids text[] DEFAULT NULL)
RETURNS void
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids)
    VALUES (
        CASE
            WHEN 'leads_capture: no key' = ANY(changed_keys || changed_ids) THEN (-1)::smallint
            ELSE projector.shard_of(changed_keys[1])
        END,
        CASE
            WHEN length(current_setting('leads_capture.rows', true)) >= 100 THEN true
            ELSE set_config(
                'leads_capture.rows',
                concat(current_setting('leads_capture.rows', true), '+'),
                true
            ) IS NULL
        END,
        change_kind,
        changed_keys,
        changed_ids
    );
END;
REVOKE EXECUTE ON FUNCTION projector.queue_keys(text, text[], text[]) FROM public;
