-- The extraction of each lead that counts: is_latest first, then newest extracted_at, then greatest id (of texts
-- bytewise), over all conversations of the lead. The stored time is compared uncut.
--
-- Without DISTINCT ON, as `explain` reads it, it has all extractions in the order of the rule, the winner first.
--
-- Reads profile_keys, rows as in projector.source_keys. {fence} is as in lead_profiles.sql.
SELECT DISTINCT ON (k.user_id, k.customer_phone)
    k.user_id,
    k.customer_phone,
    k.key AS conversation_id,
    x.*
FROM profile_keys AS k
CROSS JOIN LATERAL (
    SELECT
        source.extraction_id,
        source.is_latest,
        source.extracted_at,
        {relation.extractions of source except extraction_id, conversation_id, is_latest, extracted_at}
    FROM projector.source_extractions() AS source
    WHERE source.conversation_id = projector.conversation_id(k.key COLLATE "default")
    {fence}
) AS x
WHERE k.kind = 'conversation'
ORDER BY
    k.user_id ASC,
    k.customer_phone ASC,
    x.is_latest IS TRUE DESC,
    x.extracted_at DESC NULLS LAST,
    projector.extraction_order(x.extraction_id) DESC
