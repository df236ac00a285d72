-- Keep the profile of a lead if only its messages or conversations changed.
INSERT INTO new_lead_profiles ({columns.lead_profiles})
SELECT {columns.lead_profiles of o}
FROM old_lead_profiles AS o
LEFT JOIN new_lead_profiles AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone
WHERE n.user_id IS NULL;
