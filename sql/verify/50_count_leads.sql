-- Count the leads that were compared: a key whose rows make no lead, on neither side, is none.
SELECT count(coalesce(n.user_id, o.user_id)) AS leads
FROM new_leads AS n
FULL JOIN old_leads AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone;
