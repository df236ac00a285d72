-- Begin again if another refresh has meanwhile noted one of the stale keys under a tenant that is not locked here.
--
-- when: all_notes
SELECT projector.raise_serialization_failure()
FROM stale_keys AS s
INNER JOIN projector.noted_keys AS n ON n.kind = s.kind AND n.key = s.key
WHERE n.user_id NOT IN (SELECT t.user_id FROM stale_tenants AS t);
