-- Count the leads of an older version by the day and the hour of their first contact, for the time until the rebuild.
--
-- with leads = (SELECT l.*, 1 AS weight FROM read_model.leads AS l)
INSERT INTO read_model.lead_totals AS s ({columns.lead_totals})
SELECT {columns.lead_totals of d}
FROM ({definition.lead_totals}) AS d
WHERE d.granularity IN ('new_day', 'new_hour')
    AND NOT EXISTS (SELECT FROM read_model.lead_totals AS t WHERE t.granularity IN ('new_day', 'new_hour'))
ON CONFLICT ({key.lead_totals}) DO NOTHING;
