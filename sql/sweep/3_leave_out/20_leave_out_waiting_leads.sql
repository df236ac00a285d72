-- Leave out of the piece the leads that wait.
DELETE FROM piece_leads AS p
USING waiting_leads AS w
WHERE w.user_id = p.user_id AND w.customer_phone = p.customer_phone
RETURNING
    p.user_id,
    p.customer_phone;
