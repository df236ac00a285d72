-- Begin again where another refresh has meanwhile moved a conversation to a tenant which is not locked here.
--
-- It cannot be left to that refresh, which may have read the source before the change that is in hand here.
SELECT projector.begin_again()
FROM stale_conversations AS s
WHERE s.old_user_id IS NOT NULL
    AND s.old_user_id NOT IN (SELECT t.user_id FROM stale_tenants AS t);
