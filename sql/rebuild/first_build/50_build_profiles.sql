-- The profile of every lead. A lead has a conversation or a counted template send.
--
-- analyze: read_model.lead_profiles
-- with brought_profiles =
--     (SELECT d.*
--     FROM ({definition.lead_profiles}) AS d
--     LEFT JOIN (
--         SELECT DISTINCT c.user_id, c.customer_phone FROM projector.source_keys AS c WHERE c.kind = 'conversation'
--     ) AS c ON c.user_id = d.user_id AND c.customer_phone = d.customer_phone
--     WHERE c.user_id IS NOT NULL OR d.template_sends_count > 0)
-- with keys = projector.source_keys
-- with leads = (SELECT DISTINCT k.user_id, k.customer_phone FROM {keys} AS k WHERE k.kind <> 'contact')
-- with fence =
INSERT INTO read_model.lead_profiles ({columns.lead_profiles})
SELECT {columns.lead_profiles of d}
FROM {brought_profiles} AS d;
