-- What a whole rebuild would be for, at one look.
--
-- Returns: version and built_at of the read model; switched_off, why an operator switched capture off; gap, why changes
-- may have been missed, or were traded for a rebuild; interrupted, whether a rebuild of everything ended before its
-- end, or is under way elsewhere (whoever holds the lock of rebuilds knows which).
SELECT
    p.version,
    p.built_at,
    (SELECT s.value FROM projector.settings AS s WHERE s.name = 'capture_off') AS switched_off,
    coalesce(
        (
            SELECT g.reason
            FROM projector.capture_gaps AS g
            WHERE g.healed_at IS NULL
            ORDER BY g.gap_id
            LIMIT 1
        ),
        (SELECT b.reason FROM projector.broken_capture AS b)
    ) AS gap,
    EXISTS (SELECT 1 FROM projector.rebuild_tenants AS t WHERE t.whole_rebuild)
    OR EXISTS (SELECT 1 FROM projector.settings AS s WHERE s.name = 'rebuilding_beside') AS interrupted
FROM read_model.projection AS p;
