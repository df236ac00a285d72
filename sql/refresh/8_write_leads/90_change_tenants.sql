-- Raise the version of each tenant of which something was written. The row of a tenant appears with its first lead.
--
-- when: tenants_change
-- point: written
INSERT INTO read_model.tenants AS t (user_id, version)
SELECT
    changed.user_id,
    1
FROM (
    SELECT d.user_id
    FROM message_differences AS d
    UNION
    SELECT coalesce(n.user_id, o.user_id)
    FROM new_leads AS n
    FULL JOIN old_leads AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
    WHERE (o.*) IS DISTINCT FROM (n.*)
    UNION
    SELECT coalesce(n.user_id, o.user_id)
    FROM new_profiles AS n
    INNER JOIN old_profiles AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
    WHERE (o.*) IS DISTINCT FROM (n.*)
) AS changed
ON CONFLICT (user_id) DO UPDATE SET version = t.version + 1;
