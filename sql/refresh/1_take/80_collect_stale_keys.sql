-- Collect each key of the taken changes once, with the parts that are stale.
--
-- A key that is set aside as a dead letter is left out, because its retry reads it again completely.
-- Parameters: strict, whether dead letters are included, as for their retry and for a rebuild.
INSERT INTO stale_keys (kind, key, reload_profile, reload_messages)
SELECT
    stale.key_kind,
    changed.key,
    bool_or(stale.profile),
    coalesce(bool_or(stale.messages = 'all'), false)
FROM (
    SELECT
        t.kind,
        k.key
    FROM taken_changes AS t
    CROSS JOIN LATERAL unnest(t.keys) AS k (key)
    WHERE k.key IS NOT NULL
) AS changed
INNER JOIN projector.change_kinds AS stale ON stale.change_kind = changed.kind AND stale.dead_letter_kind IS NOT NULL
LEFT JOIN projector.dead_letters AS d
    ON d.key = changed.key COLLATE "C"
    AND d.kind = stale.dead_letter_kind
    AND NOT %(strict)s
WHERE d.key IS NULL
GROUP BY stale.key_kind, changed.key;
