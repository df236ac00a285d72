-- Write the leads that differ, and no other.
--
-- on: read_model
-- when: leads_differ
INSERT INTO read_model.leads ({columns.leads})
SELECT {columns.leads of n}
FROM new_leads AS n
LEFT JOIN old_leads AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
WHERE (o.*) IS DISTINCT FROM (n.*)
ON CONFLICT ({key.leads}) DO UPDATE SET {updates.leads};
