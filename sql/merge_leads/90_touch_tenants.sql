-- Move the version of each tenant of which something was written; a tenant's row appears with its first lead.
INSERT INTO read_model.tenants AS t (user_id, version)
SELECT
    touched.user_id,
    1
FROM (
    SELECT stage_message_changes.user_id
    FROM stage_message_changes
    UNION
    SELECT coalesce(n.user_id, o.user_id)
    FROM stage_leads AS n
    FULL JOIN old_leads AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
    WHERE (o.*) IS DISTINCT FROM (n.*)
    UNION
    SELECT coalesce(n.user_id, o.user_id)
    FROM stage_profiles AS n
    INNER JOIN old_profiles AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
    WHERE (o.*) IS DISTINCT FROM (n.*)
) AS touched
ON CONFLICT (user_id) DO UPDATE SET version = t.version + 1;
