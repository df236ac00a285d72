-- Append the keys of one changed row, its old and its new one, to the queue.
--
-- Runs inside the platform's own statement, so it looks nothing up and can break no rule: see the queue's table.
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
