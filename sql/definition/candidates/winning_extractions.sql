-- The extraction of each lead that counts: is_latest first, then newest extracted_at, then greatest id (of texts
-- bytewise), over all conversations of the lead. The stored time is compared uncut.
--
-- `explain` reads it without DISTINCT ON: all extractions in the order of the rule, the winner first.
--
-- Reads the same as extractions.sql.
SELECT DISTINCT ON (e.user_id, e.customer_phone)
    e.user_id,
    e.customer_phone,
    e.conversation_id,
    e.extraction_id,
    e.is_latest,
    e.extracted_at,
    {relation.extractions of e except extraction_id, conversation_id, is_latest, extracted_at}
FROM ({definition.extractions}) AS e
ORDER BY
    e.user_id ASC,
    e.customer_phone ASC,
    e.is_latest IS TRUE DESC,
    e.extracted_at DESC NULLS LAST,
    projector.extraction_order(e.extraction_id) DESC
