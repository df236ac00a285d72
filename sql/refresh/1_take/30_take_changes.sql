-- Take the next changes of the shards that this transaction owns: delete them from the queue, and stage them.
--
-- Parameters: shards; mass, whether to take mass changes or single ones; newest, whether to take the newest instead of
-- the oldest; size, how many to take from each shard; bytes, the limit on the bytes of their keys, or null: the first
-- row is always taken.
--
-- A change of a kind unknown to this version is put aside, in a shard from 10 to 13: it holds back the freshness of its
-- shard, but no other change.
--
-- Returns: changes, the number staged; held_shards, the shards from which some were put aside; oldest, when the first
-- of them was queued; drained, whether all single changes of the shards that this statement could see were taken;
-- needs_expansion, whether a change has to be expanded to other keys first; names, whether one concerns names of
-- tenants; has_malformed_keys, whether a key cannot be an id of the platform; has_late_keys and has_dead_letters,
-- whether there are late keys and dead letters.
--
-- A ctid is safe here: rows of the queue are never updated, and only the owner of a shard deletes from it. The limit
-- uses the stored size of an array, because its length would require reading the array.
WITH taken AS (
    DELETE FROM projector.changes
    WHERE ctid = any(
        ARRAY(
            SELECT upcoming.row_id
            FROM unnest(%(shards)s::smallint[]) AS owned (shard)
            CROSS JOIN LATERAL (
                SELECT
                    weighed.row_id,
                    sum(weighed.bytes) OVER (ORDER BY weighed.change_id) - weighed.bytes AS bytes_before
                FROM (
                    (
                        SELECT
                            c.ctid AS row_id,
                            c.change_id,
                            pg_column_size(c.keys) + coalesce(pg_column_size(c.message_ids), 0) AS bytes
                        FROM projector.changes AS c
                        WHERE c.shard = owned.shard AND c.bulk = %(mass)s AND NOT %(newest)s
                        ORDER BY c.change_id
                        LIMIT %(size)s
                    )
                    UNION ALL
                    (
                        SELECT
                            c.ctid,
                            c.change_id,
                            0
                        FROM projector.changes AS c
                        WHERE c.shard = owned.shard AND c.bulk = %(mass)s AND %(newest)s
                        ORDER BY c.change_id DESC
                        LIMIT %(size)s
                    )
                ) AS weighed
            ) AS upcoming
            WHERE %(bytes)s::bigint IS NULL OR upcoming.bytes_before < %(bytes)s
        )
    )
    RETURNING
        change_id,
        shard,
        kind,
        keys,
        message_ids,
        queued_at,
        projector.names_keys(kind) OR projector.is_known_kind(kind) AS is_known
),

put_aside AS (
    INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids, queued_at)
    SELECT
        unknown.shard + 10,
        %(mass)s,
        unknown.kind,
        unknown.keys,
        unknown.message_ids,
        unknown.queued_at
    FROM taken AS unknown
    WHERE NOT unknown.is_known
),

staged AS (
    INSERT INTO taken_changes (change_id, shard, kind, keys, message_ids, queued_at)
    SELECT
        taken.change_id,
        taken.shard,
        taken.kind,
        taken.keys,
        taken.message_ids,
        taken.queued_at
    FROM taken
    WHERE taken.is_known
)

SELECT
    count(*) FILTER (WHERE taken.is_known) AS changes,
    min(taken.queued_at) AS oldest,
    coalesce(array_agg(taken.shard) FILTER (WHERE NOT taken.is_known), '{}') AS held_shards,
    NOT EXISTS (SELECT 1 FROM taken AS t GROUP BY t.shard HAVING count(*) >= %(size)s) AS drained,
    coalesce(bool_or(projector.needs_expansion(taken.kind)), false) AS needs_expansion,
    coalesce(bool_or(projector.concerns_names(taken.kind, taken.keys)), false) AS names,
    EXISTS (
        SELECT 1
        FROM taken AS t
        CROSS JOIN LATERAL unnest(t.keys) AS k (key)
        WHERE k.key IS NOT NULL AND NOT projector.is_key(t.kind, k.key)
    ) AS has_malformed_keys,
    EXISTS (SELECT 1 FROM projector.late_keys) AS has_late_keys,
    EXISTS (SELECT 1 FROM projector.dead_letters) AS has_dead_letters
FROM taken;
