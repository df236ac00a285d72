-- Read the conversations, leads, profiles and changes of status of the recomputed leads that differ from the
-- definition.
--
-- for: leads lead_profiles lead_conversations lead_status_changes
-- Returns: table_name; user_id, customer_phone; row_key, which identifies a row of the lead; expected and found, the
-- row as JSON, null if there should be none or is none.
SELECT
    '{table}' AS table_name,
    d.user_id,
    d.customer_phone,
    coalesce(d.conversation_id, d.changed_at::text) AS row_key,
    CASE WHEN NOT d.is_gone THEN to_jsonb(n.*) END AS expected,
    to_jsonb(o.*) AS found
FROM lead_differences AS d
LEFT JOIN new_{table} AS n ON ({key.table of n}) = ({key.table of d}) -- noqa: AM08, ST11
LEFT JOIN old_{table} AS o ON ({key.table of o}) = ({key.table of d})
WHERE d.table_name = '{table}';
