-- Drop what the version before kept for the API of version 0.1, the old names of three tables, and a function of the
-- version before that nothing calls any more.
DROP VIEW IF EXISTS read_model.lead_stats, read_model.lead_day_stats, read_model.lead_span_stats;
DROP FUNCTION IF EXISTS projector.upcoming_changes(smallint[], integer, integer, integer);
