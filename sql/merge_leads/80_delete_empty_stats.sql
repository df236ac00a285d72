-- Delete the combinations that no lead has any more.
DELETE FROM read_model.lead_stats AS s
USING (
    SELECT DISTINCT stage_stats.user_id
    FROM stage_stats
    WHERE stage_stats.leads < 0
) AS d
WHERE s.user_id = d.user_id AND s.leads = 0;
