-- Whether cron runs `refresh`: one row with the end of the last refresh and the longest interval between the last ones
-- in seconds, if three have ended since the last scheduler ran; else no row. Cron starts a command at most once a
-- minute. The data are late once two refreshes in a row were missed and the second could have ended, which takes 15
-- seconds.
CREATE OR REPLACE VIEW projector.cron AS
SELECT
    max(r.ended_at) AS last_at,
    greatest(60, max(r.distance))::float8 AS distance,
    2 * greatest(60, max(r.distance))::float8 + 15 AS late_after_seconds
FROM (
    SELECT
        noted.ended_at,
        extract(EPOCH FROM noted.ended_at - lag(noted.ended_at) OVER (ORDER BY noted.ended_at)) AS distance
    FROM projector.settings AS s
    CROSS JOIN LATERAL jsonb_array_elements_text(s.value::jsonb) AS listed (moment)
    CROSS JOIN LATERAL (SELECT listed.moment::timestamptz AS ended_at) AS noted
    WHERE s.name = 'refreshes'
) AS r
HAVING count(*) > 2 AND min(r.ended_at) > coalesce((SELECT max(b.beat_at) FROM projector.schedulers AS b), '-infinity');
COMMENT ON VIEW projector.cron IS 'When the last refresh from cron ended, and the longest time between the last ones.';
