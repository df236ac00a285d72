-- Open a batch as open_batch does, but wait for the refresh that owns a shard: somebody waits for the outcome.
SELECT
    now() AS started_at,
    ARRAY(
        SELECT locked.shard
        FROM (
            SELECT
                wanted.shard,
                pg_advisory_xact_lock(%(shard_class)s, wanted.shard)
            FROM unnest(%(shards)s::smallint[]) AS wanted (shard)
            ORDER BY wanted.shard
            OFFSET 0
        ) AS locked
    ) AS owned,
    projector.capture_gap() AS gap,
    EXISTS (
        SELECT 1
        FROM projector.changes AS c
        WHERE c.shard = any(%(shards)s::smallint[])
    ) AS waiting,
    EXISTS (
        SELECT 1
        FROM projector.capture_gaps AS g
        WHERE g.healed_at IS NULL
    ) AS held,
    coalesce(
        (
            SELECT sum(pg_relation_size(to_regclass(stage.name)))
            FROM unnest(ARRAY[
                'stage_messages', 'stage_message_changes', 'stale_messages', 'stage_conversations', 'stage_leads'
            ]) AS stage (name)
        ) > 400000,
        false
    ) AS crowded;
