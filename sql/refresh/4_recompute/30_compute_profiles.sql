-- Compute the profiles of the stale leads that need it, and the changes of their status.
--
-- point: recomputed
WITH profile_leads AS NOT MATERIALIZED (
    SELECT DISTINCT
        i.user_id,
        i.customer_phone
    FROM lead_invalidations AS i
    WHERE i.reload_profile
),

profile_keys AS NOT MATERIALIZED (
    SELECT k.*
    FROM profile_leads AS l
    CROSS JOIN LATERAL (
        SELECT
            sk.kind,
            sk.key,
            sk.user_id,
            sk.customer_phone
        FROM projector.source_keys AS sk
        WHERE sk.user_id = l.user_id AND sk.customer_phone = l.customer_phone
        {fence}
    ) AS k
),

status_changes AS (
    INSERT INTO new_lead_status_changes ({columns.lead_status_changes})
    SELECT {columns.lead_status_changes of s}
    FROM ({definition.status_changes}) AS s
    RETURNING *
)

INSERT INTO new_lead_profiles ({columns.lead_profiles})
SELECT {columns.lead_profiles of d}
FROM ({definition.lead_profiles}) AS d;
