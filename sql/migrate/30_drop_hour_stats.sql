-- Drop the table that lead_totals has taken the place of.
DROP TABLE read_model.lead_hour_stats;
