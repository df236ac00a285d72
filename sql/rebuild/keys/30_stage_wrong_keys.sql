-- Stage the next of the wrong keys, as changes.
--
-- Parameter: size, the number of keys.
WITH taken AS (
    DELETE FROM wrong_keys
    WHERE ctid = any(ARRAY(SELECT w.ctid FROM wrong_keys AS w LIMIT %(size)s))
    RETURNING kind, key
)

INSERT INTO taken_changes (change_id, shard, kind, keys)
SELECT
    0,
    0,
    CASE taken.kind
        WHEN 'conversation' THEN 'reload_conversations'
        WHEN 'contact' THEN 'contacts'
        ELSE 'template_sends'
    END,
    array_agg(taken.key)
FROM taken
GROUP BY taken.kind;
