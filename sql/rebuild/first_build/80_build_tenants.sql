-- Every tenant that has a lead, with a new version; and no dead letter, since a build stops at a row that it cannot
-- project.
INSERT INTO read_model.tenants AS t (user_id, version)
SELECT
    s.user_id,
    1
FROM read_model.lead_totals AS s
WHERE s.granularity = 'all'
UNION
SELECT
    known.user_id,
    1
FROM read_model.tenants AS known
ON CONFLICT (user_id) DO UPDATE SET version = t.version + 1, dead_letters = 0;
