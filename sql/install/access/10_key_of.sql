-- The columns of the API key with a prefix that the API needs; no row if there is none.
--
-- It reads with the rights of its owner. So the role of the API only sees the key that a caller sends, and cannot list
-- the keys, as it only sees the rows of one tenant elsewhere.
CREATE OR REPLACE FUNCTION leads_access.key_of(prefix text)
RETURNS TABLE (
    key_hash bytea, user_id text, all_tenants boolean, expires_at timestamptz, revoked_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        k.key_hash,
        k.user_id,
        k.all_tenants,
        k.expires_at,
        k.revoked_at
    FROM leads_access.api_keys AS k
    WHERE k.prefix = key_of.prefix
$$;
REVOKE ALL ON FUNCTION leads_access.key_of(text) FROM public;
