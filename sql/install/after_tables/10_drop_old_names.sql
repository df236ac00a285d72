-- Drop what the version before had and nothing reads any more: the old names of three tables, which it kept for the API
-- of version 0.1; keys that it noted where it kept the read model in a database of its own; and where its rebuild and
-- its verify were, and of how many rows. Both begin again, since the projection version is another one.
DROP VIEW IF EXISTS read_model.lead_stats, read_model.lead_day_stats, read_model.lead_span_stats;
DROP TABLE IF EXISTS projector.noted_keys, projector.rebuild_plan;
DROP FUNCTION IF EXISTS projector.sampled_conversations(double precision);
ALTER TABLE projector.verify_rounds
DROP COLUMN IF EXISTS phase,
DROP COLUMN IF EXISTS after_first,
DROP COLUMN IF EXISTS after_second,
DROP COLUMN IF EXISTS rows_total;
