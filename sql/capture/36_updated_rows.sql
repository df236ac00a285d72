-- The template that finds the rows that an update has changed: the old and the new state of each, or only one of them
-- if the keys are the same.
--
-- projector/capture/triggers.py fills it in: {old_rows} and {new_rows}, the transition tables as 35_changed_rows.sql
-- reads them, and {o_columns} and {n_columns}, their columns that the projection reads.
SELECT
    state.shard,
    state.changed_key,
    state.changed_id
FROM ({old_rows} OFFSET 0) AS o
FULL JOIN ({new_rows} OFFSET 0) AS n ON n.changed_id = o.changed_id
CROSS JOIN LATERAL (
    VALUES
    (o.shard, o.changed_key, o.changed_id, true),
    (n.shard, n.changed_key, n.changed_id, n.changed_key IS DISTINCT FROM o.changed_key OR o.changed_id IS NULL)
) AS state (shard, changed_key, changed_id, is_another)
WHERE state.shard IS NOT NULL AND state.is_another AND ROW({o_columns})::record *<> ROW({n_columns})::record
