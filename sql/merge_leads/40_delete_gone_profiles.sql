-- Delete the profiles of leads that are no more.
DELETE FROM read_model.lead_profiles AS lp
USING old_profiles AS o
LEFT JOIN stage_leads AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone
WHERE n.user_id IS NULL AND lp.user_id = o.user_id AND lp.customer_phone = o.customer_phone;
