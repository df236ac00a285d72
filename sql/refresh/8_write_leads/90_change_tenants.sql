-- Raise the version of each tenant of which something was written. The row of a tenant appears with its first lead.
--
-- when: tenants_change
-- point: written
-- The conditions are those of the steps that write. Statistics move only with leads.
INSERT INTO read_model.tenants AS t (user_id, version, version_id)
SELECT
    changed.user_id,
    1,
    gen_random_uuid()
FROM (
    SELECT d.user_id
    FROM message_differences AS d
    UNION
    SELECT coalesce(n.user_id, o.user_id)
    FROM new_conversations AS n
    FULL JOIN old_conversations AS o
        ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone AND o.conversation_id = n.conversation_id
    WHERE (o.*) IS DISTINCT FROM (n.*)
    UNION
    SELECT coalesce(n.user_id, o.user_id)
    FROM new_leads AS n
    FULL JOIN old_leads AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
    WHERE (o.*) IS DISTINCT FROM (n.*)
    UNION
    SELECT coalesce(n.user_id, o.user_id)
    FROM new_profiles AS n
    FULL JOIN old_profiles AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
    LEFT JOIN new_leads AS kept
        ON kept.user_id = coalesce(n.user_id, o.user_id)
        AND kept.customer_phone = coalesce(n.customer_phone, o.customer_phone)
    WHERE CASE WHEN kept.user_id IS NULL THEN o.user_id IS NOT NULL ELSE (o.*) IS DISTINCT FROM (n.*) END
) AS changed
ON CONFLICT (user_id) DO UPDATE SET version = t.version + 1, version_id = excluded.version_id;
