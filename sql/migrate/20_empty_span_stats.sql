-- Forget what lead_span_stats held before an older version was put back, which did not keep it.
DELETE FROM read_model.lead_span_stats;
