-- What made a batch fail, and what waits beside it.

-- name: read_staged_ids
-- Returns: change_id of each staged change.
SELECT t.change_id
FROM taken_changes AS t;

-- name: read_staged_parts
-- Returns: kind, keys of each of up to eight parts of the staged change. The keys of a tenant are in one part; keys
-- without a lead are as those of one tenant. One part is of one tenant.
SELECT
    ranked.kind,
    array_agg(DISTINCT ranked.key)
FROM (
    SELECT
        t.kind,
        k.key,
        dense_rank() OVER (ORDER BY coalesce(lead.user_id, '')) AS tenant
    FROM taken_changes AS t
    CROSS JOIN LATERAL unnest(t.keys) AS k (key)
    LEFT JOIN LATERAL (
        SELECT s.user_id
        FROM ({definition.source_keys}) AS s
        WHERE s.key = k.key COLLATE "default"
            AND s.kind = CASE t.kind
                WHEN 'contacts' THEN 'contact'
                WHEN 'template_sends' THEN 'template_send'
                ELSE 'conversation'
            END
        OFFSET 0
    ) AS lead ON true
) AS ranked
GROUP BY ranked.kind, ranked.tenant % 8;

-- name: queue_part
-- Queues these keys of the staged change again, as a piece of their own. Parameter: keys.
INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids, queued_at)
SELECT
    t.shard,
    true,
    t.kind,
    %(keys)s::text[],
    t.message_ids,
    t.queued_at
FROM taken_changes AS t;

-- name: find_crowd
-- Returns: user_id, kind, keys of dead letters to be: the keys that wait in a shard, of tenants with so many failures
-- within the last minute. Keys that were set aside together count as one failure.
-- Parameters: shard, failures; single_changes and bulk_pieces, how many of either to look at.
WITH crowd AS MATERIALIZED (
    SELECT d.user_id
    FROM projector.dead_letters AS d
    WHERE d.user_id IS NOT NULL AND d.first_failed_at > clock_timestamp() - interval '1 minute'
    GROUP BY d.user_id
    HAVING count(DISTINCT d.first_failed_at) >= %(failures)s
),

waiting AS MATERIALIZED (
    SELECT DISTINCT
        letter.letter_kind,
        letter.key_kind,
        k.key
    FROM (
        (
            SELECT
                c.kind,
                c.keys
            FROM projector.changes AS c
            WHERE c.shard = %(shard)s AND NOT c.bulk AND EXISTS (SELECT FROM crowd)
            ORDER BY c.change_id
            LIMIT %(single_changes)s
        )
        UNION ALL
        (
            SELECT
                c.kind,
                c.keys
            FROM projector.changes AS c
            WHERE c.shard = %(shard)s AND c.bulk AND EXISTS (SELECT FROM crowd)
            ORDER BY c.change_id
            LIMIT %(bulk_pieces)s
        )
    ) AS c
    INNER JOIN (
        VALUES
        ('messages', 'conversation', 'reload_conversations'),
        ('conversations', 'conversation', 'reload_conversations'),
        ('extractions', 'conversation', 'reload_conversations'),
        ('reload_conversations', 'conversation', 'reload_conversations'),
        ('contacts', 'contact', 'contacts'),
        ('template_sends', 'template_send', 'template_sends')
    ) AS letter (change_kind, key_kind, letter_kind) ON letter.change_kind = c.kind
    CROSS JOIN LATERAL unnest(c.keys) AS k (key)
    WHERE NOT EXISTS (
        SELECT
        FROM projector.dead_letters AS d
        WHERE d.kind = letter.letter_kind COLLATE "C" AND d.key = k.key
    )
)

SELECT
    crowd.user_id,
    waiting.letter_kind,
    array_agg(waiting.key)
FROM waiting
CROSS JOIN LATERAL (
    SELECT s.user_id
    FROM ({definition.source_keys}) AS s
    WHERE s.kind = waiting.key_kind AND s.key = waiting.key COLLATE "default"
    OFFSET 0
) AS lead
INNER JOIN crowd ON crowd.user_id = lead.user_id
GROUP BY crowd.user_id, waiting.letter_kind;
