-- Drop what the version before kept for the API of version 0.1, the old names of three tables, and functions of the
-- version before that nothing calls any more.
DROP VIEW IF EXISTS read_model.lead_stats, read_model.lead_day_stats, read_model.lead_span_stats;
DROP FUNCTION IF EXISTS projector.upcoming_changes(smallint[], integer, integer, integer);
DROP FUNCTION IF EXISTS
    projector.source_users(), projector.source_phone_numbers(), projector.source_agents(),
    projector.source_templates(), projector.agent_id(text), projector.phone_number_id(text),
    projector.template_id(text);
