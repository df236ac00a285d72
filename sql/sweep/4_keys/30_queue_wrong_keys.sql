-- Queue the wrong keys as late keys, each under its lead in projector.source_keys and under its lead in the source.
INSERT INTO projector.late_keys (user_id, customer_phone, kind, key, queued_at)
SELECT
    lead.user_id,
    lead.customer_phone,
    kinds.dead_letter_kind,
    w.key,
    now()
FROM wrong_keys AS w
CROSS JOIN LATERAL projector.leads_of_key(w.kind, w.key) AS lead
INNER JOIN projector.change_kinds AS kinds ON kinds.key_kind = w.kind AND kinds.change_kind = kinds.dead_letter_kind;
