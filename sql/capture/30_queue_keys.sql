-- Append the keys of one changed row, the old and the new one, to the queue.
--
-- It runs inside a statement of the platform, so it reads no table, and no constraint can make it fail: see the
-- queue's table.
CREATE OR REPLACE FUNCTION projector.queue_keys(change_kind text, changed_keys text[], changed_ids text[] DEFAULT NULL)
RETURNS void
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO projector.changes (shard, kind, keys, message_ids)
    VALUES (projector.shard_of(changed_keys[1]), change_kind, changed_keys, changed_ids);
END;
REVOKE EXECUTE ON FUNCTION projector.queue_keys(text, text[], text[]) FROM public;
