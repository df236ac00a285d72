-- Delete the combinations of a day that no lead has any more.
DELETE FROM read_model.lead_day_stats AS s
USING (
    SELECT DISTINCT
        stage_stats.user_id,
        (stage_stats.hour AT TIME ZONE 'UTC')::date AS day
    FROM stage_stats
    WHERE stage_stats.leads < 0
) AS d
WHERE s.user_id = d.user_id AND s.day = d.day AND s.leads = 0;
