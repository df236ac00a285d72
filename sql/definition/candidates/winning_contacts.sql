-- The contact of each lead that counts: newest updated_at (null is oldest), then greatest contact_id bytewise. The
-- stored time is compared uncut.
--
-- `explain` reads it without DISTINCT ON: all contacts in the order of the rule, the winner first.
--
-- Reads profile_keys, rows as in projector.source_keys. {fence} is as in lead_profiles.sql.
SELECT DISTINCT ON (k.user_id, k.customer_phone)
    k.user_id,
    k.customer_phone,
    k.key AS contact_id,
    x.*
FROM profile_keys AS k
CROSS JOIN LATERAL (
    SELECT
        source.updated_at,
        {relation.contacts of source except contact_id, user_id, phone, updated_at}
    FROM projector.source_contacts() AS source
    WHERE source.contact_id = projector.contact_id(k.key COLLATE "default")
    {fence}
) AS x
WHERE k.kind = 'contact'
ORDER BY k.user_id ASC, k.customer_phone ASC, x.updated_at DESC NULLS LAST, k.key DESC
