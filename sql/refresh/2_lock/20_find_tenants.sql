-- Find the tenants of the stale keys in the present source rows, and in the last state of the read model.
--
-- point: tenants_found
INSERT INTO stale_tenants (user_id)
SELECT DISTINCT lead.user_id
FROM stale_keys AS s
CROSS JOIN LATERAL projector.leads_of_key(s.kind, s.key) AS lead;
