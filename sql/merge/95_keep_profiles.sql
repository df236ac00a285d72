-- A lead whose messages alone changed keeps its profile.
INSERT INTO stage_profiles
SELECT o.*
FROM old_profiles AS o
LEFT JOIN stage_profiles AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone
WHERE n.user_id IS NULL;
