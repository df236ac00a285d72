-- Find the keys that a taken change touches by the rules of the mapping, and all keys below a truncated table. Up to
-- 200 keys are staged with it; more are queued again, in rows of 500.
--
-- when: needs_expansion
-- Returns: pieces, how many rows were queued. They stay in the shard of their change and keep its time: the shard is
-- not drained before the leads of the last row are known.
WITH changed AS MATERIALIZED (
    SELECT
        t.shard,
        t.kind,
        t.queued_at,
        k.key
    FROM taken_changes AS t
    CROSS JOIN LATERAL unnest(t.keys) AS k (key)
    WHERE projector.needs_expansion(t.kind)
        -- A dead letter is retried separately.
        AND NOT EXISTS (SELECT FROM projector.dead_letters AS d WHERE d.kind = t.kind AND d.key = k.key COLLATE "C")
),

expanded AS MATERIALIZED (
    SELECT
        changed.shard,
        changed.queued_at,
        k.queued_kind AS kind,
        k.key
    FROM changed
    CROSS JOIN LATERAL projector.keys_of_change(changed.kind, changed.key) AS k
),

numbered AS (
    SELECT
        expanded.shard,
        expanded.queued_at,
        expanded.kind,
        expanded.key,
        (row_number() OVER (PARTITION BY expanded.shard, expanded.kind) - 1) / 500 AS piece,
        count(*) OVER () AS keys
    FROM expanded
),

staged AS (
    INSERT INTO taken_changes (change_id, shard, kind, keys, queued_at)
    SELECT
        0,
        numbered.shard,
        numbered.kind,
        array_agg(DISTINCT numbered.key),
        min(numbered.queued_at)
    FROM numbered
    WHERE numbered.keys <= 200
    GROUP BY numbered.shard, numbered.kind
),

queued AS (
    INSERT INTO projector.changes (shard, bulk, kind, keys, queued_at)
    SELECT
        numbered.shard,
        true,
        numbered.kind,
        array_agg(DISTINCT numbered.key),
        min(numbered.queued_at)
    FROM numbered
    WHERE numbered.keys > 200
    GROUP BY numbered.shard, numbered.kind, numbered.piece
    RETURNING 1
)

SELECT count(*) AS pieces
FROM queued;
