-- Collect each key of the taken changes once, with what about it is stale.
--
-- A key that is set aside as a dead letter is left out: its retry reads everything of it again.
-- Parameters: strict, whether dead letters are included, as for their retry and for a rebuild.
INSERT INTO stale_keys (kind, key, reload_profile, reload_messages)
SELECT
    stale.kind,
    changed.key,
    bool_or(changed.kind IN ('extractions', 'reload_conversations')),
    bool_or(changed.kind = 'reload_conversations')
FROM (
    SELECT
        t.kind,
        k.key
    FROM taken_changes AS t
    CROSS JOIN LATERAL unnest(t.keys) AS k (key)
    WHERE k.key IS NOT NULL
) AS changed
INNER JOIN (
    VALUES
    ('messages', 'conversation', 'reload_conversations'),
    ('conversations', 'conversation', 'reload_conversations'),
    ('extractions', 'conversation', 'reload_conversations'),
    ('reload_conversations', 'conversation', 'reload_conversations'),
    ('contacts', 'contact', 'contacts'),
    ('template_sends', 'template_send', 'template_sends')
) AS stale (change_kind, kind, letter_kind) ON stale.change_kind = changed.kind
LEFT JOIN projector.dead_letters AS d
    ON d.key = changed.key COLLATE "C"
    AND d.kind = stale.letter_kind COLLATE "C"
    AND NOT %(strict)s
WHERE d.key IS NULL
GROUP BY stale.kind, changed.key;
