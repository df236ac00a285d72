-- The ids of the tenants alone: the API's page for people lists them if the API does not authenticate.
--
-- It reads with the rights of its owner, so it also shows them to a role that may only read the rows of one tenant.
CREATE OR REPLACE VIEW read_model.tenant_ids AS
SELECT t.user_id
FROM read_model.tenants AS t;
