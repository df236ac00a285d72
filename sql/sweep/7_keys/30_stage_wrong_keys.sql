-- Stage the next of the wrong keys, as changes.
WITH taken AS (
    DELETE FROM wrong_keys
    WHERE ctid = any(ARRAY(SELECT w.ctid FROM wrong_keys AS w LIMIT %(size)s))
    RETURNING kind, key
)

INSERT INTO taken_changes (change_id, shard, kind, keys)
SELECT
    0,
    0,
    kinds.letter_kind,
    array_agg(taken.key)
FROM taken
INNER JOIN projector.change_kinds AS kinds ON kinds.key_kind = taken.kind AND kinds.change_kind = kinds.letter_kind
GROUP BY kinds.letter_kind;
