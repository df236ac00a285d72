-- Delete the conversations that these leads do not have any more, the leads that have neither a conversation nor a
-- counted template send any more, the profiles of these, and the changes of status that are none any more.
--
-- for: lead_conversations leads lead_profiles lead_status_changes
-- when: {table}_gone
DELETE FROM read_model.{table} AS stored
USING lead_differences AS d
WHERE d.table_name = '{table}'
    AND d.is_gone
    AND ({key.table of stored}) = ({key.table of d})
    {tenants};
