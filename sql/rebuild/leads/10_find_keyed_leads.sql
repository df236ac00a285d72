-- The next leads in the order of tenant and phone, by projector.source_keys.
--
-- Parameters: after_user and after_phone, the last lead that is done; last_user, the last tenant, or null; size, the
-- number of leads.
-- Returns: user_id, customer_phone.
SELECT DISTINCT
    k.user_id,
    k.customer_phone
FROM projector.source_keys AS k
WHERE (k.user_id, k.customer_phone) > (%(after_user)s, %(after_phone)s)
    AND (%(last_user)s::text IS NULL OR k.user_id <= %(last_user)s)
    AND k.kind <> 'contact'
ORDER BY k.user_id, k.customer_phone
LIMIT %(size)s;
