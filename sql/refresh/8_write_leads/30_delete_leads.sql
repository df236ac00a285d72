-- Delete the leads that have neither a conversation nor a counted template send any more.
--
-- when: leads_gone
-- deletes: leads by user_id, customer_phone
SELECT
    o.user_id,
    o.customer_phone
FROM old_leads AS o
LEFT JOIN new_leads AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone
WHERE n.user_id IS NULL;
