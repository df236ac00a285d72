-- Queue the staged change again in up to eight parts by key: so the key that fails is found without holding up the
-- others for long.
INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids, queued_at)
SELECT
    t.shard,
    true,
    t.kind,
    array_agg(k.key),
    t.message_ids,
    t.queued_at
FROM stage_changes AS t
CROSS JOIN LATERAL unnest(t.keys) WITH ORDINALITY AS k (key, position)
GROUP BY t.change_id, t.shard, t.kind, t.message_ids, t.queued_at, k.position % 8;
