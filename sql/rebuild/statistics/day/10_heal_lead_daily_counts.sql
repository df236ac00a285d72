-- Make the rows of lead_daily_counts of one day of a tenant what its leads add up to.
--
-- Parameters: user_id, day. The tenant is locked. A row that comes to 0 is deleted afterwards.
WITH lead_moves AS NOT MATERIALIZED (
    SELECT
        l.*,
        1 AS weight
    FROM read_model.leads AS l
    WHERE l.user_id = %(user_id)s
    AND l.last_message_at >= %(day)s::date AND l.last_message_at < %(day)s::date + 1
),

stored AS NOT MATERIALIZED (
    SELECT c.* FROM read_model.lead_daily_counts AS c
    WHERE c.user_id = %(user_id)s AND c.day = %(day)s::date
)

INSERT INTO read_model.lead_daily_counts AS s ({columns.lead_daily_counts})
SELECT {columns.lead_daily_counts of d}
FROM (
    SELECT
        {key.lead_daily_counts of side},
        {net.lead_daily_counts of side}
    FROM (
        SELECT
            {columns.lead_daily_counts of d},
            1 AS sign
        FROM ({definition.lead_daily_counts}) AS d
        UNION ALL
        SELECT
            {columns.lead_daily_counts of o},
            -1 AS sign
        FROM stored AS o
    ) AS side
    GROUP BY {key.lead_daily_counts of side}
) AS d
WHERE ROW({values.lead_daily_counts of d}) <> ROW({zeros.lead_daily_counts})
ON CONFLICT ({key.lead_daily_counts}) DO UPDATE SET {additions.lead_daily_counts of s};
