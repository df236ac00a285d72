-- A conversation that another refresh has meanwhile moved to a tenant which is not locked here is left to the change
-- that moved it: that change, or a later one, is still waiting or in work.
DELETE FROM stale_conversations
WHERE old_user_id IS NOT NULL
    AND old_user_id NOT IN (SELECT t.user_id FROM stale_tenants AS t);
