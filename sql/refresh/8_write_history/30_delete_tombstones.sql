-- Delete the tombstones of changes of status that came again.
--
-- when: lead_status_changes_differ
DELETE FROM read_model.status_change_tombstones AS stored
USING new_lead_status_changes AS n
WHERE stored.user_id = n.user_id
    AND stored.customer_phone = n.customer_phone
    AND stored.extraction_id = n.extraction_id
    AND stored.lead_status = coalesce(n.lead_status, '')
    {tenants};
