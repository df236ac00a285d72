-- Each key of the taken changes once, with what about it is stale.
--
-- profile: its lead's extraction is stale too; resync: all its messages.
-- A key that is set aside as a dead letter is left out: its retry, which reads everything of it again, has it.
-- Parameters: retried_kind and retried_key of the dead letter that this batch retries, or nulls; strict, whether dead
-- letters are tried as well, as a rebuild does.
WITH changed AS MATERIALIZED (
    SELECT
        t.kind,
        k.key
    FROM stage_changes AS t
    CROSS JOIN LATERAL unnest(t.keys) AS k (key)
    LEFT JOIN projector.dead_letters AS d
        ON d.key = k.key COLLATE "C"
        AND d.kind = CASE WHEN t.kind IN ('contacts', 'template_sends') THEN t.kind ELSE 'resync' END
        AND (d.kind, d.key) IS DISTINCT FROM (%(retried_kind)s::text, %(retried_key)s::text)
        AND NOT %(strict)s
    WHERE k.key IS NOT NULL AND d.key IS NULL
),

conversations_collected AS (
    INSERT INTO stale_conversations (conversation_id, profile, resync)
    SELECT
        changed.key,
        bool_or(changed.kind IN ('extractions', 'resync')),
        bool_or(changed.kind = 'resync')
    FROM changed
    WHERE changed.kind IN ('messages', 'conversations', 'extractions', 'resync')
    GROUP BY changed.key
),

contacts_collected AS (
    INSERT INTO stale_contacts (contact_id)
    SELECT DISTINCT changed.key
    FROM changed
    WHERE changed.kind = 'contacts'
)

INSERT INTO stale_sends (send_id)
SELECT DISTINCT changed.key
FROM changed
WHERE changed.kind = 'template_sends';
