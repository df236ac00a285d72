-- Note the changes of status that are withdrawn, with the version that their tenant gets at the end of this
-- transaction: those that are gone, and those that now differ, which are written again. A change is identified by its
-- extraction and status.
--
-- when: profiles_stale
-- The feed contains them. A tombstone stays when its change comes again, so that no client gets a change twice without
-- the withdrawal in between.
--
-- Filling the table for the first time notes nothing. Until the transaction ends, the tenant's lock keeps the version
-- unchanged.
INSERT INTO read_model.status_change_tombstones (
    user_id, customer_phone, extraction_id, lead_status, changed_at, total_score, conversation_id, version, deleted_at
)
SELECT
    o.user_id,
    o.customer_phone,
    o.extraction_id,
    coalesce(o.lead_status, ''),
    o.changed_at,
    o.total_score,
    o.conversation_id,
    coalesce(stored.version, 0) + 1,
    now()
FROM old_lead_status_changes AS o
LEFT JOIN new_lead_status_changes AS n -- noqa: ST11
    ON n.user_id = o.user_id
    AND n.customer_phone = o.customer_phone
    AND n.extraction_id = o.extraction_id
    AND (n.*) IS NOT DISTINCT FROM (o.*)
LEFT JOIN read_model.tenants AS stored ON stored.user_id = o.user_id {tenants}
WHERE n.user_id IS NULL AND (SELECT p.is_history_built FROM read_model.projection AS p)
ON CONFLICT (user_id, customer_phone, extraction_id, lead_status) DO UPDATE SET
    changed_at = excluded.changed_at,
    total_score = excluded.total_score,
    conversation_id = excluded.conversation_id,
    version = excluded.version,
    deleted_at = excluded.deleted_at;
