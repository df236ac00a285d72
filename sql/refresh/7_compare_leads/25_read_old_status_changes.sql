-- Read the stored changes of status of the leads whose profiles are stale.
--
-- when: profiles_stale
-- unless: fills
INSERT INTO old_lead_status_changes ({columns.lead_status_changes})
SELECT {columns.lead_status_changes of stored}
FROM (
    SELECT DISTINCT
        i.user_id,
        i.customer_phone
    FROM lead_invalidations AS i
    WHERE i.reload_profile
) AS l
CROSS JOIN LATERAL (
    SELECT stored.*
    FROM read_model.lead_status_changes AS stored
    WHERE stored.user_id = l.user_id AND stored.customer_phone = l.customer_phone
    {tenants} {stored_fence}
) AS stored;
