-- Make the row of lead_totals of all leads of a tenant what its leads add up to.
--
-- Parameter: user_id. The tenant is locked. The leads are counted by the rows of the days, which are right by now, and
-- those without any last_message_at, which are in no day, one by one.
WITH lead_moves AS NOT MATERIALIZED (
    SELECT
        l.*,
        1 AS weight
    FROM read_model.leads AS l
    WHERE l.user_id = %(user_id)s AND l.last_message_at IS NULL
),

stored AS NOT MATERIALIZED (
    SELECT t.* FROM read_model.lead_totals AS t WHERE t.user_id = %(user_id)s AND (t.granularity = 'all'
    OR NOT isfinite(t.bucket_start))
),

days AS NOT MATERIALIZED (
    SELECT t.* FROM read_model.lead_totals AS t WHERE t.user_id = %(user_id)s AND t.granularity = 'day'
    AND isfinite(t.bucket_start)
)

INSERT INTO read_model.lead_totals AS s ({columns.lead_totals})
SELECT {columns.lead_totals of d}
FROM (
    SELECT
        {key.lead_totals of side},
        {net.lead_totals of side}
    FROM (
        SELECT
            {key.lead_totals of d},
            {values.lead_totals of d},
            1 AS sign
        FROM ({definition.lead_totals}) AS d
        WHERE d.granularity = 'all'
        UNION ALL
        SELECT
            t.user_id,
            'all' AS granularity,
            '-infinity' AS bucket_start,
            {values.lead_totals of t},
            1 AS sign
        FROM days AS t
        UNION ALL
        SELECT
            {key.lead_totals of o},
            {values.lead_totals of o},
            -1 AS sign
        FROM stored AS o
    ) AS side
    GROUP BY {key.lead_totals of side}
) AS d
WHERE ROW({values.lead_totals of d}) <> ROW({zeros.lead_totals})
ON CONFLICT ({key.lead_totals}) DO UPDATE SET {additions.lead_totals of s};
