-- Drop the table that lead_span_stats has taken the place of.
DROP TABLE read_model.lead_hour_stats;
