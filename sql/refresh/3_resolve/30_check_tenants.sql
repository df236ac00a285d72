-- Start again if another refresh has meanwhile moved a key to a tenant that is not locked here.
--
-- The other refresh may have read the source before the change that this batch took, so it cannot be left to update the
-- key.
SELECT projector.raise_serialization_failure()
FROM stale_keys AS s
WHERE s.old_user_id IS NOT NULL
    AND s.old_user_id NOT IN (SELECT t.user_id FROM stale_tenants AS t);
