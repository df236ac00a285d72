-- What a whole rebuild would be for, at one look.
--
-- Returns: version and built_at of the read model; switched_off, why an operator switched capture off; gap, why changes
-- may have been missed, or were traded for a rebuild; planned and beside, whether a rebuild of everything, in place or
-- beside, ended before its end, or is under way elsewhere (whoever holds the lock of rebuilds knows which); unsettled,
-- whether the same goes for any rebuild, one of some tenants or one that was about to begin or to end included.
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
    EXISTS (SELECT 1 FROM projector.rebuild_tenants AS t WHERE t.whole_rebuild) AS planned,
    EXISTS (SELECT 1 FROM projector.settings AS s WHERE s.name = 'rebuilding_beside') AS beside,
    EXISTS (SELECT 1 FROM projector.runs AS r WHERE r.kind = 'rebuild' AND r.outcome = 'running')
    OR EXISTS (SELECT 1 FROM projector.rebuild_tenants AS t WHERE NOT t.whole_rebuild) AS unsettled
FROM read_model.projection AS p;
