-- Write the profiles that differ, and no other. A contact or an extraction alone makes no lead.
--
-- when: profiles_differ
INSERT INTO read_model.lead_profiles ({columns.lead_profiles})
SELECT {columns.lead_profiles of n}
FROM new_profiles AS n
INNER JOIN new_leads AS l ON l.user_id = n.user_id AND l.customer_phone = n.customer_phone
LEFT JOIN old_profiles AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
WHERE (o.*) IS DISTINCT FROM (n.*)
ON CONFLICT ({key.lead_profiles}) DO UPDATE SET {updates.lead_profiles};
