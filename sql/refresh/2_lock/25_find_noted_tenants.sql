-- Find the tenants of the leads that a batch which did not end has put stale keys under in the read model.
--
-- when: all_notes
INSERT INTO stale_tenants (user_id)
SELECT DISTINCT n.user_id
FROM stale_keys AS s
INNER JOIN projector.noted_keys AS n ON n.kind = s.kind AND n.key = s.key
LEFT JOIN stale_tenants AS t ON t.user_id = n.user_id
WHERE t.user_id IS NULL;
