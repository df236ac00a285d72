-- What projector/scheduler asks and deletes.

-- name: began_lately
-- Returns whether a run of all tenants began within the last seconds. A time that the clock has not reached does not
-- count: the clock may have been set back.
SELECT EXISTS (
    SELECT
    FROM projector.runs AS r
    WHERE r.kind = %(kind)s
        AND r.tenants IS NULL
        AND r.started_at BETWEEN clock_timestamp() - make_interval(secs => %(seconds)s) AND clock_timestamp()
);

-- name: prune_runs
-- Delete old runs, old rounds of the verify but the last one, old gaps that are healed, and old drift that is right
-- again.
WITH gaps_pruned AS (
    DELETE FROM projector.capture_gaps
    WHERE healed_at < clock_timestamp() - make_interval(days => %(days)s)
),

rounds_pruned AS (
    DELETE FROM projector.verify_rounds AS r
    WHERE r.finished_at < clock_timestamp() - make_interval(days => %(days)s)
        AND r.finished_at < (SELECT max(last.finished_at) FROM projector.verify_rounds AS last)
),

drift_pruned AS (
    DELETE FROM projector.drift
    WHERE ended_at < clock_timestamp() - make_interval(days => %(days)s)
)

DELETE FROM projector.runs
WHERE started_at < clock_timestamp() - make_interval(days => %(days)s);

-- name: note_refresh
-- Parameters: outcome, and note, why it failed, or null.
INSERT INTO projector.runs (kind, started_at, finished_at, outcome, note)
VALUES ('refresh', now(), clock_timestamp(), %(outcome)s, %(note)s);
