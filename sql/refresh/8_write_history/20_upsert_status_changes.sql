-- Write the changes of status that differ, with the version that their tenant gets at the end of this transaction.
--
-- when: lead_status_changes_differ
-- Changes that fill the table for the first time get version 0, which is not in the feed.
INSERT INTO read_model.lead_status_changes ({columns.lead_status_changes}, version)
SELECT
    {columns.lead_status_changes of n},
    CASE WHEN (SELECT p.is_history_built FROM read_model.projection AS p) THEN coalesce(stored.version, 0) + 1 ELSE 0 END
FROM new_lead_status_changes AS n
INNER JOIN lead_differences AS d
    ON d.table_name = 'lead_status_changes'
    AND NOT d.is_gone
    AND ({key.lead_status_changes of d}) = ({key.lead_status_changes of n})
LEFT JOIN read_model.tenants AS stored ON stored.user_id = n.user_id {tenants}
ON CONFLICT ({key.lead_status_changes}) DO UPDATE SET {updates.lead_status_changes}, version = excluded.version;
