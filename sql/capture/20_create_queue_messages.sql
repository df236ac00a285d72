-- Append changed messages to the queue: their ids, grouped by shard and conversation, some 500 to a row.
--
-- Ids and conversations are two arrays of one length, old and new sides of an update both. The ids let a refresh
-- read only what changed of a conversation with a long history.
CREATE OR REPLACE FUNCTION projector.queue_messages(conversation_ids text[], changed_ids text[])
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id_count integer := cardinality(changed_ids);
BEGIN
    IF id_count = 1 THEN
        INSERT INTO projector.changes (shard, kind, keys, message_ids)
        VALUES (projector.shard_of(conversation_ids[1]), 'messages', conversation_ids, changed_ids);
    ELSIF id_count > 1 THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids)
        SELECT
            (hashed.bucket & 3)::smallint,
            id_count > 100,
            'messages',
            array_agg(DISTINCT hashed.conversation_id),
            array_agg(hashed.message_id)
        FROM (
            SELECT
                changed.conversation_id,
                changed.message_id,
                (hashtext(coalesce(changed.conversation_id, '')) & 2147483647) % (4 * (id_count / 500 + 1)) AS bucket
            FROM unnest(conversation_ids, changed_ids) AS changed (conversation_id, message_id)
        ) AS hashed
        GROUP BY hashed.bucket;
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION projector.queue_messages(text[], text[]) FROM public;
