-- The profile of every lead. A lead has a conversation or a counted template send.
--
-- The changes of statuses are computed once more: Citus does not join those that are stored with tables of the
-- platform.
--
-- analyze: read_model.lead_profiles
WITH profile_keys AS NOT MATERIALIZED (
    SELECT k.*
    FROM projector.source_keys AS k
),

profile_leads AS NOT MATERIALIZED (
    SELECT DISTINCT
        k.user_id,
        k.customer_phone
    FROM projector.source_keys AS k
    WHERE k.kind IN ({kinds.of_lead_makers})
),

status_changes AS NOT MATERIALIZED ({definition.status_changes})

INSERT INTO read_model.lead_profiles ({columns.lead_profiles})
SELECT {columns.lead_profiles of d}
FROM ({definition.lead_profiles}) AS d
LEFT JOIN (
    SELECT DISTINCT
        k.user_id,
        k.customer_phone
    FROM projector.source_keys AS k
    WHERE k.kind = 'conversation'
) AS c ON c.user_id = d.user_id AND c.customer_phone = d.customer_phone
WHERE c.user_id IS NOT NULL OR d.template_sends_count > 0;
