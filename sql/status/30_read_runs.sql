-- The last run of each kind.
SELECT
    r.kind,
    r.started_at,
    r.finished_at,
    extract(EPOCH FROM coalesce(r.finished_at, clock_timestamp()) - r.started_at)::float8 AS seconds,
    r.outcome,
    r.tenants,
    r.changes,
    r.leads,
    r.messages,
    r.leads_total,
    r.note
FROM projector.runs AS r
WHERE r.run_id IN (
    (SELECT max(run_id) FROM projector.runs WHERE kind = 'rebuild'),
    (SELECT max(run_id) FROM projector.runs WHERE kind = 'verify'),
    (SELECT run_id FROM projector.runs WHERE kind = 'refresh' ORDER BY run_id DESC LIMIT 1)
);
