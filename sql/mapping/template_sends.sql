-- The templates that were sent to a customer: the tenant and the channel are the template's.
SELECT
    s.send_id,
    t.user_id,
    s.customer_phone,
    p.platform,
    s.status,
    s.sent_at,
    s.created_at
FROM template_sends AS s
INNER JOIN templates AS t ON t.template_id = s.template_id
LEFT JOIN phone_numbers AS p ON p.id = t.phone_number_id;
