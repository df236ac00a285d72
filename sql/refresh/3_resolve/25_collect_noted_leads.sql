-- Collect the leads that a batch which did not end has put stale keys under in the read model, to be compared fully: a
-- key of theirs may have moved on since, and then nothing else knows that they have it.
--
-- A rebuild leaves those of tenants that it has not locked: their notes stay.
-- when: notes
WITH noted AS MATERIALIZED (
    SELECT DISTINCT
        n.user_id,
        n.customer_phone
    FROM stale_keys AS s
    INNER JOIN projector.noted_keys AS n ON n.kind = s.kind AND n.key = s.key
    WHERE n.user_id IN (SELECT t.user_id FROM stale_tenants AS t)
),

collected AS (
    INSERT INTO lead_invalidations (user_id, customer_phone, reload_profile, compare_fully)
    SELECT
        noted.user_id,
        noted.customer_phone,
        true,
        true
    FROM noted
),

reloaded AS (
    UPDATE stale_keys AS s
    SET reload_profile = true, reload_messages = true
    FROM noted
    WHERE noted.user_id = s.old_user_id AND noted.customer_phone = s.old_customer_phone
)

INSERT INTO stale_keys (kind, key, reload_profile, reload_messages, old_user_id, old_customer_phone)
SELECT
    'conversation',
    k.key,
    true,
    true,
    noted.user_id,
    noted.customer_phone
FROM noted
CROSS JOIN LATERAL (
    SELECT sk.key
    FROM projector.source_keys AS sk
    WHERE sk.user_id = noted.user_id AND sk.customer_phone = noted.customer_phone AND sk.kind = 'conversation'
    OFFSET 0
) AS k
LEFT JOIN stale_keys AS s ON s.kind = 'conversation' AND s.key = k.key
WHERE s.key IS NULL;
