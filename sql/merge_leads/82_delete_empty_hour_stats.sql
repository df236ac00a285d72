-- Delete the hours in which no lead has its last message any more.
DELETE FROM read_model.lead_hour_stats AS s
USING (
    SELECT DISTINCT
        stage_stats.user_id,
        stage_stats.hour
    FROM stage_stats
    WHERE stage_stats.leads < 0
) AS d
WHERE s.user_id = d.user_id AND s.hour = d.hour AND s.leads = 0;
