-- Queue again, in rows of 500, what a taken change refers to: the conversations of an agent or a channel, the sends of
-- a template or a channel, everything below a truncated table.
--
-- when: spreads
-- Returns: pieces, how many rows these are. They stay in the shard of their change and keep its time: until it is known
-- whom the last one concerns, the shard is not drained.
WITH changed AS MATERIALIZED (
    SELECT
        t.shard,
        t.kind,
        t.queued_at,
        k.key
    FROM taken_changes AS t
    CROSS JOIN LATERAL unnest(t.keys) AS k (key)
    WHERE t.kind IN ('agents', 'phone_numbers', 'templates', 'truncate')
),

spread AS (
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
        spread.shard,
        spread.queued_at,
        spread.kind,
        spread.key,
        (row_number() OVER (PARTITION BY spread.shard, spread.kind) - 1) / 500 AS piece
    FROM spread
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
    GROUP BY numbered.shard, numbered.kind, numbered.piece
    RETURNING 1
)

SELECT count(*) AS pieces
FROM queued;
