-- The queries of projector/scheduler/.

-- name: began_lately
-- Returns whether a run of all tenants began within the last seconds. A time in the future does not count, because the
-- clock may have been set back.
SELECT EXISTS (
    SELECT
    FROM projector.runs AS r
    WHERE r.kind = %(kind)s
        AND r.tenants IS NULL
        AND r.started_at BETWEEN clock_timestamp() - make_interval(secs => %(seconds)s) AND clock_timestamp()
);

-- name: prune_runs
-- Delete old runs, old rounds of the verify except the last, old healed gaps, and old drift that is right again.
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
-- Parameters: outcome; note, why it failed, or null.
INSERT INTO projector.runs (kind, started_at, finished_at, outcome, note)
VALUES ('refresh', now(), clock_timestamp(), %(outcome)s, %(note)s);

-- name: note_scheduler
-- Note that a scheduler is alive, and forget earlier ones that ended or are silent. Parameters: scheduler_id, host,
-- pid.
WITH forgotten AS (
    DELETE FROM projector.schedulers AS s
    USING projector.schedulers AS own
    WHERE own.scheduler_id = %(scheduler_id)s
        AND s.began_at < own.began_at
        AND (s.ended_at IS NOT NULL OR s.beat_at < clock_timestamp() - interval '1 minute')
)

INSERT INTO projector.schedulers (scheduler_id, host, pid)
VALUES (%(scheduler_id)s, %(host)s, %(pid)s)
ON CONFLICT (scheduler_id) DO UPDATE SET beat_at = clock_timestamp();

-- name: note_end
UPDATE projector.schedulers
SET ended_at = clock_timestamp()
WHERE scheduler_id = %(scheduler_id)s;

-- name: note_lateness
-- Parameter: seconds, how old the data are before they are late.
UPDATE read_model.projection
SET late_after_seconds = %(seconds)s::real
WHERE late_after_seconds IS DISTINCT FROM %(seconds)s::real;

-- name: read_lateness_of_cron
-- Returns how old the data are before the second refresh from cron is missed; no row if cron runs none.
SELECT c.late_after_seconds AS seconds
FROM projector.cron AS c;

-- name: note_refresh_command
-- Note the end of a `refresh`; the last four are kept.
INSERT INTO projector.settings AS s (name, value)
VALUES ('refreshes', jsonb_build_array(clock_timestamp())::text)
ON CONFLICT (name) DO UPDATE SET value = (
    SELECT jsonb_agg(last.moment ORDER BY last.moment)::text
    FROM (
        SELECT noted.moment::timestamptz AS moment
        FROM jsonb_array_elements_text(s.value::jsonb || excluded.value::jsonb) AS noted (moment)
        ORDER BY moment DESC
        LIMIT 4
    ) AS last
);
