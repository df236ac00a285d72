-- The ledger of erasures. The projector's login may read it, append to it and finish a line, and so may the code of the
-- platform that runs in its sessions; these functions run with the rights of the owner, and nobody else can change the
-- table.

CREATE OR REPLACE FUNCTION leads_access.read_erasures()
RETURNS SETOF leads_access.erasures
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT e.* FROM leads_access.erasures AS e
$$;
REVOKE ALL ON FUNCTION leads_access.read_erasures() FROM public;

-- Returns the erasure_id of the line; null if the ledger has it already.
CREATE OR REPLACE FUNCTION leads_access.append_erasure(line jsonb)
RETURNS uuid
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO leads_access.erasures
    SELECT n.*
    FROM jsonb_populate_record(
        NULL::leads_access.erasures,
        jsonb_build_object('erasure_id', gen_random_uuid(), 'asked_at', clock_timestamp()) || line
    ) AS n
    ON CONFLICT DO NOTHING
    RETURNING erasure_id
$$;
REVOKE ALL ON FUNCTION leads_access.append_erasure(jsonb) FROM public;

-- Finishes a line, which then names no customer.
CREATE OR REPLACE FUNCTION leads_access.finish_erasure(erasure_id uuid)
RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE leads_access.erasures AS e
    SET finished_at = clock_timestamp(), user_id = NULL, customer_phone = NULL
    WHERE e.erasure_id = finish_erasure.erasure_id AND e.finished_at IS NULL
$$;
REVOKE ALL ON FUNCTION leads_access.finish_erasure(uuid) FROM public;
