-- The template by which a trigger reads a transition table, so that no statement of the platform fails because the
-- platform has renamed or dropped a column.
--
-- projector/capture/triggers.py fills it in: {rows}, the transition table; {columns}, those that the projection reads,
-- including the two keys; {queue_key} and {primary_key}, which print the keys; {missing}, a value for each column that
-- does not exist; and {no_key}, the same for the two keys. It goes into the FROM clause of the trigger functions.
--
-- Each column is named without its table inside a LATERAL sub-select, whose outer query has a column of the same name.
-- PostgreSQL takes the column of the transition table if there is one, and else the outer one. It decides that when it
-- plans a statement, and plans again after ALTER TABLE, so rows cost nothing extra.
--
-- The values for missing columns differ between old rows and new ones: a row that cannot be compared counts as changed.
-- A row without its key goes to shard -1, from which no batch takes: changes there are a capture gap.
--
-- A key is compared byte by byte, since a collation may call different keys equal.
SELECT
    row_read.*,
    CASE
        WHEN row_read.changed_key = {no_key} OR row_read.changed_id IS NULL THEN (-1)::smallint
        ELSE projector.shard_of(row_read.changed_key)
    END AS shard
FROM (SELECT {missing}) AS missing
CROSS JOIN LATERAL (
    SELECT
        {queue_key} COLLATE "C" AS changed_key,
        nullif({primary_key} COLLATE "C", {no_key}) AS changed_id,
        {columns}
    FROM {rows}
) AS row_read
