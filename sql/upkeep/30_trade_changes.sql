-- Delete waiting changes of an owned shard, since a rebuild of everything will follow.
--
-- Parameters: shard, newest (change_id up to which they go), size.
-- Why nothing is lost: what can be seen here was committed together with its source row, so that the rebuild, which
-- bucket_start later and reads all source rows, contains it; what cannot be seen yet stays in the queue. Before the first
-- deletion a gap was opened, which holds freshness still and which only a rebuild begun after the last one closes:
-- both are done under the lock of rebuilds. ctid is safe, as in take_changes.
DELETE FROM projector.changes
WHERE ctid = any(
    ARRAY(
        SELECT c.ctid
        FROM projector.changes AS c
        WHERE c.shard = %(shard)s AND c.change_id <= %(newest)s
        LIMIT %(size)s
    )
);
