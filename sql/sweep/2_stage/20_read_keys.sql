-- Read the keys of the leads of the piece.
--
-- analyze: piece_keys
INSERT INTO piece_keys (kind, key, user_id, customer_phone)
SELECT
    k.kind,
    k.key,
    l.user_id,
    l.customer_phone
FROM piece_leads AS l
CROSS JOIN LATERAL (
    SELECT
        sk.kind,
        sk.key
    FROM projector.source_keys AS sk
    WHERE sk.user_id = l.user_id AND sk.customer_phone = l.customer_phone
    OFFSET 0
) AS k;
