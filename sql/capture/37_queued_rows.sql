-- The template of how a trigger queues the rows of a statement: a row of the queue for each bucket of their keys.
--
-- projector/capture/triggers.py fills it in: {rows}, the changed rows with shard, changed_key and changed_id; {kind} of
-- change; and {has_ids}, whether the ids of the rows are queued too.
INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids)
SELECT
    min(hashed.shard),
    changed_rows > 100,
    {kind},
    array_agg(DISTINCT hashed.changed_key),
    CASE WHEN {has_ids} THEN array_agg(hashed.changed_id) END
FROM (
    SELECT
        changed.shard,
        changed.changed_key,
        changed.changed_id,
        (hashtext(coalesce(changed.changed_key, '')) & 2147483647) % pieces AS bucket
    FROM ({rows}) AS changed
) AS hashed
GROUP BY hashed.bucket
