-- Have the wrong keys be taken with the late keys: each under the lead that projector.source_keys has, and under the
-- one of the source.
INSERT INTO projector.late_keys (user_id, customer_phone, kind, key, queued_at)
SELECT
    lead.user_id,
    lead.customer_phone,
    kinds.letter_kind,
    lead.key,
    now()
FROM (
    SELECT
        k.kind,
        k.key,
        k.user_id,
        k.customer_phone
    FROM wrong_keys AS w
    INNER JOIN projector.source_keys AS k ON k.kind = w.kind AND k.key = w.key
    UNION
    SELECT
        w.kind,
        w.key,
        d.user_id,
        d.customer_phone
    FROM wrong_keys AS w
    CROSS JOIN LATERAL projector.current_key(w.kind, w.key) AS d
) AS lead
INNER JOIN projector.change_kinds AS kinds ON kinds.key_kind = lead.kind AND kinds.change_kind = kinds.letter_kind;
