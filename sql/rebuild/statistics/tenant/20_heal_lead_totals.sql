-- Make the row of lead_totals of all leads of a tenant what its leads add up to.
--
-- on: read_model
-- Parameter: user_id. The tenant is locked. The leads are counted as for lead_counts.
-- with leads = (
--     SELECT
--         c.user_id, NULL::timestamptz AS last_message_at, c.lead_status, c.total_score, c.on_whatsapp, c.on_instagram,
--         c.on_webchat, c.has_extraction, c.has_email, c.leads AS weight
--     FROM read_model.lead_daily_counts AS c WHERE c.user_id = %(user_id)s
--     UNION ALL
--     SELECT
--         l.user_id, l.last_message_at, l.lead_status, l.total_score, l.on_whatsapp, l.on_instagram, l.on_webchat,
--         l.has_extraction, l.has_email, 1 AS weight
--     FROM read_model.leads AS l WHERE l.user_id = %(user_id)s AND l.last_message_at IS NULL)
-- with stored = (SELECT t.* FROM read_model.lead_totals AS t WHERE t.user_id = %(user_id)s AND (t.granularity = 'all'
--     OR NOT isfinite(t.bucket_start)))
INSERT INTO read_model.lead_totals AS s ({columns.lead_totals})
SELECT {columns.lead_totals of d}
FROM (
    SELECT
        {key.lead_totals of side},
        {net.lead_totals of side}
    FROM (
        SELECT
            {columns.lead_totals of d},
            1 AS sign
        FROM ({definition.lead_totals}) AS d
        UNION ALL
        SELECT
            {columns.lead_totals of o},
            -1 AS sign
        FROM {stored} AS o
    ) AS side
    GROUP BY {key.lead_totals of side}
) AS d
WHERE ROW({values.lead_totals of d}) <> ROW({zeros.lead_totals})
ON CONFLICT ({key.lead_totals}) DO UPDATE SET {additions.lead_totals of s};
