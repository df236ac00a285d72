-- Make the rows of lead_totals of one day of a tenant, and of its hours, what its leads add up to.
--
-- Parameters: user_id, day. The tenant is locked. A row that comes to 0 is deleted afterwards.
WITH lead_moves AS NOT MATERIALIZED (
    SELECT
        l.*,
        1 AS weight
    FROM read_model.leads AS l
    WHERE l.user_id = %(user_id)s
    AND (l.last_message_at >= %(day)s::date AND l.last_message_at < %(day)s::date + 1
        OR l.first_contact_at >= %(day)s::date AND l.first_contact_at < %(day)s::date + 1)
),

stored AS NOT MATERIALIZED (
    SELECT t.* FROM read_model.lead_totals AS t WHERE t.user_id = %(user_id)s
    AND t.bucket_start >= %(day)s::date AND t.bucket_start < %(day)s::date + 1
)

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
        WHERE d.granularity <> 'all' AND d.bucket_start >= %(day)s::date AND d.bucket_start < %(day)s::date + 1
        UNION ALL
        SELECT
            {columns.lead_totals of o},
            -1 AS sign
        FROM stored AS o
    ) AS side
    GROUP BY {key.lead_totals of side}
) AS d
WHERE ROW({values.lead_totals of d}) <> ROW({zeros.lead_totals})
ON CONFLICT ({key.lead_totals}) DO UPDATE SET {additions.lead_totals of s};
