-- Every tenant has a row, and a new version: all of it was written again, or is gone.
INSERT INTO read_model.tenants AS t (user_id, version)
SELECT
    s.user_id,
    1
FROM read_model.lead_counts AS s
UNION
SELECT
    known.user_id,
    1
FROM read_model.tenants AS known
ON CONFLICT (user_id) DO UPDATE SET version = t.version + 1;
