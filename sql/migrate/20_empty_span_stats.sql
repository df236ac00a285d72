-- Forget what lead_totals held before an older version was put back, which did not keep it.
DELETE FROM read_model.lead_totals;
