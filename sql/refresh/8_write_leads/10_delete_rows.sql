-- Delete the conversations that these leads no longer have, the leads that no longer have a conversation or a counted
-- template send, their profiles, and the changes of status that no longer exist.
--
-- for: lead_conversations leads lead_profiles lead_status_changes
-- when: {table}_gone
DELETE FROM read_model.{table} AS stored
USING lead_differences AS d
WHERE d.table_name = '{table}'
    AND d.is_gone
    AND ({key.table of stored}) = ({key.table of d})
    {tenants};
