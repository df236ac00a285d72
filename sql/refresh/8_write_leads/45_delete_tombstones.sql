-- Delete the tombstones of leads that came again.
--
-- when: leads_come
-- deletes: lead_tombstones by user_id, customer_phone
SELECT
    n.user_id,
    n.customer_phone
FROM new_leads AS n
LEFT JOIN old_leads AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
WHERE o.user_id IS NULL;
