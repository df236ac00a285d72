-- Move the statistics by hour likewise.
INSERT INTO read_model.lead_hour_stats AS s (user_id, hour, leads)
SELECT
    d.user_id,
    d.hour,
    sum(d.leads)
FROM stage_stats AS d
WHERE d.hour IS NOT NULL
GROUP BY d.user_id, d.hour
HAVING sum(d.leads) <> 0
ON CONFLICT (user_id, hour) DO UPDATE SET leads = s.leads + excluded.leads;
