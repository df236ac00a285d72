-- Queue again, in pieces of 500, what a taken change refers to: the conversations of an agent or a channel, the sends
-- of a template or a channel, everything below a truncated table, a statement's messages of one long conversation.
--
-- when: spreads
-- Returns: pieces, how many there are. The pieces stay in the shard of their change and keep its time: until the last
-- one is done the shard is not drained, so that X-Data-As-Of waits for them, and the lag shows their true age.
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
),

long AS (
    DELETE FROM taken_changes
    WHERE kind = 'messages' AND cardinality(message_ids) > 2000
    RETURNING shard, keys, message_ids, queued_at
),

queued_messages AS (
    INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids, queued_at)
    SELECT
        long.shard,
        true,
        'messages',
        long.keys,
        array_agg(m.message_id),
        long.queued_at
    FROM long
    CROSS JOIN LATERAL unnest(long.message_ids) WITH ORDINALITY AS m (message_id, position)
    GROUP BY long.shard, long.keys, long.queued_at, (m.position - 1) / 1000
    RETURNING 1
)

SELECT
    (SELECT count(*) FROM queued) + (SELECT count(*) FROM queued_messages) AS pieces;
