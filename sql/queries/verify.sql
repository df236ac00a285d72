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

-- name: estimate_stored_leads
-- Returns: about how many leads there are, by the statistics of the planner.
SELECT greatest(c.reltuples, 1) AS leads
FROM pg_class AS c
WHERE c.oid = 'read_model.leads'::regclass;

-- name: estimate_keys
-- Returns: about how many keys there are, by the statistics of the planner.
SELECT greatest(c.reltuples, 1) AS keys
FROM pg_class AS c
WHERE c.oid = 'projector.source_keys'::regclass;

-- name: has_waiting_leads
-- Returns one row if leads were noted as waiting.
SELECT
FROM waiting_leads
LIMIT 1;

-- name: find_wrong_keys
-- Compares single keys. Returns those that projector.source_keys has under another lead than the source, lacks, or has
-- too many: kind, key, user_id and customer_phone of that lead, and waits, whether something of it waits.
--
-- Parameters: kinds and keys, arrays of one length. The waiting leads are noted, in the same snapshot.
SELECT
    i.kind,
    i.key,
    coalesce(d.user_id, k.user_id) AS user_id,
    coalesce(d.customer_phone, k.customer_phone) AS customer_phone,
    EXISTS (
        SELECT
        FROM waiting_leads AS w
        WHERE (w.user_id = d.user_id AND w.customer_phone = d.customer_phone)
            OR (w.user_id = k.user_id AND w.customer_phone = k.customer_phone)
    ) AS waits
FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS i (kind, key)
LEFT JOIN LATERAL (
    SELECT
        d.user_id,
        d.customer_phone
    FROM projector.current_keys() AS d
    WHERE d.kind = i.kind AND d.key = i.key COLLATE "default"
    OFFSET 0
) AS d ON true
LEFT JOIN LATERAL (
    SELECT
        sk.user_id,
        sk.customer_phone
    FROM projector.source_keys AS sk
    WHERE sk.kind = i.kind AND sk.key = i.key
    OFFSET 0
) AS k ON true
WHERE (k.user_id, k.customer_phone) IS DISTINCT FROM (d.user_id, d.customer_phone);
