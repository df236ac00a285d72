-- What the read model is, how fresh, and whether changes are captured.
--
-- Returns: version, built_at, capture_gap (as readiness tells it), as_of and its age in seconds, broken (what is wrong
-- with the triggers at this moment), switched_off (why an operator switched capture off), gap_since and gap_reason (the
-- oldest gap that is not healed, the trade of a queue for a rebuild included), and the clock.
SELECT
    p.version,
    p.built_at,
    p.capture_gap,
    f.as_of,
    extract(EPOCH FROM clock_timestamp() - f.as_of)::float8 AS as_of_age,
    (SELECT b.reason FROM projector.broken_capture AS b) AS broken,
    (SELECT s.value FROM projector.settings AS s WHERE s.name = 'capture_off') AS switched_off,
    g.noticed_at AS gap_since,
    g.reason AS gap_reason,
    clock_timestamp() AS read_at
FROM read_model.projection AS p
LEFT JOIN read_model.freshness AS f ON true
LEFT JOIN LATERAL (
    SELECT
        open.noticed_at,
        open.reason
    FROM projector.capture_gaps AS open
    WHERE open.healed_at IS NULL
    ORDER BY open.gap_id
    LIMIT 1
) AS g ON true;
