-- Raise the version of each tenant that has written rows. The row of a tenant appears with its first lead.
--
-- when: tenants_change
-- point: written
-- The conditions are those of the writing steps. Statistics change only with leads.
INSERT INTO read_model.tenants AS t (user_id, version, version_id)
SELECT
    changed.user_id,
    1,
    gen_random_uuid()
FROM (
    SELECT d.user_id
    FROM message_differences AS d
    UNION
    SELECT d.user_id
    FROM lead_differences AS d
) AS changed
ON CONFLICT (user_id) DO UPDATE SET version = t.version + 1, version_id = excluded.version_id;
