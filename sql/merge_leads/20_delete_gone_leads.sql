-- Delete the leads that have neither a conversation nor a counted template send any more.
DELETE FROM read_model.leads AS rl
USING old_leads AS o
LEFT JOIN stage_leads AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone
WHERE n.user_id IS NULL AND rl.user_id = o.user_id AND rl.customer_phone = o.customer_phone;
