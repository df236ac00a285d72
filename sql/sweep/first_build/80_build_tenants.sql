-- Every tenant that has a lead, with a new version and a new epoch; and no dead letter, since a build stops at a row
-- that it cannot project.
INSERT INTO read_model.tenants AS t (user_id, version, version_id, epoch)
SELECT
    built.user_id,
    1,
    gen_random_uuid(),
    gen_random_uuid()
FROM (
    SELECT s.user_id
    FROM read_model.lead_totals AS s
    WHERE s.granularity = 'all'
    UNION
    SELECT stored.user_id
    FROM read_model.tenants AS stored
) AS built
ON CONFLICT (user_id) DO UPDATE SET
    version = t.version + 1,
    version_id = excluded.version_id,
    epoch = excluded.epoch,
    pruned_version = 0,
    pruned_status_version = 0,
    dead_letters = 0,
    late_as_of = NULL;
