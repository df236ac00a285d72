-- Make the rows of lead_counts of a tenant what its leads add up to.
--
-- Parameter: user_id. The tenant is locked. The leads are counted by the days, which are right by now, so that the
-- lock is held for a moment only.
WITH lead_moves AS NOT MATERIALIZED (
    SELECT
        c.user_id, NULL::timestamptz AS last_message_at, c.lead_status, c.total_score, c.on_whatsapp, c.on_instagram,
        c.on_webchat, c.has_extraction, c.has_email, c.leads AS weight
    FROM read_model.lead_daily_counts AS c WHERE c.user_id = %(user_id)s
    UNION ALL
    SELECT
        l.user_id, l.last_message_at, l.lead_status, l.total_score, l.on_whatsapp, l.on_instagram, l.on_webchat,
        l.has_extraction, l.has_email, 1 AS weight
    FROM read_model.leads AS l
    WHERE l.user_id = %(user_id)s AND l.last_message_at IS NULL
),

stored AS NOT MATERIALIZED (
    SELECT c.* FROM read_model.lead_counts AS c WHERE c.user_id = %(user_id)s
)

INSERT INTO read_model.lead_counts AS s ({columns.lead_counts})
SELECT {columns.lead_counts of d}
FROM (
    SELECT
        {key.lead_counts of side},
        {net.lead_counts of side}
    FROM (
        SELECT
            {columns.lead_counts of d},
            1 AS sign
        FROM ({definition.lead_counts}) AS d
        UNION ALL
        SELECT
            {columns.lead_counts of o},
            -1 AS sign
        FROM stored AS o
    ) AS side
    GROUP BY {key.lead_counts of side}
) AS d
WHERE ROW({values.lead_counts of d}) <> ROW({zeros.lead_counts})
ON CONFLICT ({key.lead_counts}) DO UPDATE SET {additions.lead_counts of s};
