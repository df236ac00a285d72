-- Every template send and its lead, from the source.
INSERT INTO read_model_next.send_keys (send_id, user_id, customer_phone)
SELECT
    s.send_id,
    t.user_id,
    projector.canonical_phone(s.customer_phone)
FROM template_sends AS s
INNER JOIN templates AS t ON t.template_id = s.template_id
WHERE projector.canonical_phone(s.customer_phone) IS NOT NULL;
