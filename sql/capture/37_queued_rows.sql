-- The template by which a trigger queues the rows of a statement: a row of the queue for each bucket of their keys, or
-- for each part of a bucket.
--
-- projector/capture/triggers.py fills it in: {rows}, the changed rows with shard, changed_key and changed_id; {kind} of
-- change; {has_ids}, whether the ids of the rows are queued too; and {part}, the part of the bucket to which a row
-- belongs.
INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids)
SELECT
    min(cut.shard),
    changed_rows > 100,
    {kind},
    array_agg(DISTINCT cut.changed_key),
    CASE WHEN {has_ids} THEN array_agg(cut.changed_id) END
FROM (
    SELECT
        hashed.*,
        {part} AS part
    FROM (
        SELECT
            changed.shard,
            changed.changed_key,
            changed.changed_id,
            (hashtext(coalesce(changed.changed_key, '')) & 2147483647) % pieces AS bucket
        FROM ({rows}) AS changed
    ) AS hashed
) AS cut
GROUP BY cut.bucket, cut.part
