-- The tenants that there are, and nothing else about them: the API's page for people lists them where it asks nobody
-- who calls.
--
-- It reads with the rights of its owner, so it shows them to a role that may read only the rows of one tenant, too.
CREATE OR REPLACE VIEW read_model.tenant_ids AS
SELECT t.user_id
FROM read_model.tenants AS t;
