-- Find the tenants that the stale keys belong to: by the source rows as they are, and by what the read model last
-- knew.
--
-- point: tenants_found
INSERT INTO stale_tenants (user_id)
SELECT DISTINCT lead.user_id
FROM stale_keys AS s
CROSS JOIN LATERAL projector.leads_of_key(s.kind, s.key) AS lead;
