-- The template sends of each lead. Those that were not sent do not count.
--
-- Reads profile_keys, rows as in projector.source_keys. {fence} is as in lead_profiles.sql.
SELECT
    k.user_id,
    k.customer_phone,
    k.key AS send_id,
    x.*
FROM profile_keys AS k
CROSS JOIN LATERAL (
    SELECT
        projector.clamp_time(coalesce(source.sent_at, source.created_at, 'epoch')::timestamptz) AS sent_at,
        source.platform,
        source.status,
        coalesce(source.status, 'SENT') NOT IN ('PENDING', 'FAILED') AS is_counted
    FROM projector.source_template_sends() AS source
    WHERE source.send_id = projector.send_id(k.key COLLATE "default")
    {fence}
) AS x
WHERE k.kind = 'template_send'
