-- The look-ups and the clean-up of projector/scheduler.

-- name: began_lately
-- Returns whether a run of all tenants began within the last seconds. A time that the clock has not reached does not
-- count: the clock may have been set back.
--
-- Parameters: kind of the run, seconds.
SELECT EXISTS (
    SELECT
    FROM projector.runs AS r
    WHERE r.kind = %(kind)s
        AND r.tenants IS NULL
        AND r.started_at BETWEEN clock_timestamp() - make_interval(secs => %(seconds)s) AND clock_timestamp()
);

-- name: prune_runs
-- Delete old runs and old gaps that are healed.
--
-- Parameter: days, the age from which on they are deleted.
WITH gaps_pruned AS (
    DELETE FROM projector.capture_gaps
    WHERE healed_at < clock_timestamp() - make_interval(days => %(days)s)
)

DELETE FROM projector.runs
WHERE started_at < clock_timestamp() - make_interval(days => %(days)s);
