-- What an erasure may do with the API keys: read the tenant of each, and delete those of a tenant in the ledger.

CREATE OR REPLACE FUNCTION leads_access.tenants_of_keys()
RETURNS TABLE (user_id text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.user_id FROM leads_access.api_keys AS k WHERE k.user_id IS NOT NULL
$$;
REVOKE ALL ON FUNCTION leads_access.tenants_of_keys() FROM public;

CREATE OR REPLACE FUNCTION leads_access.delete_keys(user_id text)
RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM leads_access.api_keys AS k
    WHERE k.user_id = delete_keys.user_id
        AND EXISTS (
            SELECT
            FROM leads_access.erasures AS e
            WHERE e.lead_hash IS NULL
                AND e.tenant_hash
                = encode(sha256(convert_to(json_build_array(e.salt, delete_keys.user_id)::text, 'UTF8')), 'hex')
        )
$$;
REVOKE ALL ON FUNCTION leads_access.delete_keys(text) FROM public;
