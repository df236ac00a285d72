-- The queries of a verify that are not steps.

-- name: open_run
-- Returns: run_id. Parameter: tenants, null for all.
INSERT INTO projector.runs (kind, started_at, tenants)
VALUES ('verify', clock_timestamp(), %(tenants)s)
RETURNING run_id;

-- name: close_run
-- Parameters: run_id, outcome, note, leads.
UPDATE projector.runs
SET finished_at = clock_timestamp(), outcome = %(outcome)s, note = %(note)s, leads = %(leads)s
WHERE run_id = %(run_id)s;

-- name: estimate_leads
-- Returns: about how many leads there are, by the statistics of the planner.
SELECT greatest(max(c.reltuples), 1) AS leads
FROM pg_class AS c
WHERE c.oid = any(ARRAY['read_model.leads', 'projector.source_keys']::regclass[]);

-- name: has_waiting_leads
-- Returns one row if leads were noted as waiting.
SELECT
FROM waiting_leads
LIMIT 1;
