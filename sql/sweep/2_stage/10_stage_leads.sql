-- Stage the leads of the piece.
INSERT INTO piece_leads (user_id, customer_phone)
SELECT
    l.user_id,
    l.customer_phone
FROM unnest(%(user_ids)s::text[], %(customer_phones)s::text[]) AS l (user_id, customer_phone);
