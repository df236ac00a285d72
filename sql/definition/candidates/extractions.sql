-- The extractions of each lead, over all its conversations.
--
-- Reads profile_keys, rows as in projector.source_keys. {fence} is as in lead_profiles.sql.
SELECT
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
