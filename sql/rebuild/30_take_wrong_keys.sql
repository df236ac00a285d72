-- Stage the next of the keys that are known wrong, as changes. Parameter: size.
WITH taken AS (
    DELETE FROM wrong_keys
    WHERE ctid = any(ARRAY(SELECT w.ctid FROM wrong_keys AS w LIMIT %(size)s))
    RETURNING kind, key
)

INSERT INTO stage_changes (change_id, shard, kind, keys)
SELECT
    0,
    0,
    taken.kind,
    array_agg(taken.key)
FROM taken
GROUP BY taken.kind;
