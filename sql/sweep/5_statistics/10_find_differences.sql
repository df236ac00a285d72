-- Find the rows of the statistics that differ from the sums of the leads and messages.
--
-- for: lead_counts lead_daily_counts lead_totals message_counts attribute_counts
-- Parameter: tenants, null for all. A transaction changes leads and statistics together, so that they agree in every
-- snapshot. A heal relies on that, because it adds the difference later.
-- Returns: key, the columns of the key as texts (no client can hold the start of the row of all leads, -infinity);
-- expected and stored, the numbers of the row, 0 if it is missing. A row of 0 is returned too.
WITH lead_moves AS NOT MATERIALIZED (
    SELECT
        l.*,
        1 AS weight
    FROM read_model.leads AS l
    WHERE (%(tenants)s::text[] IS NULL OR l.user_id = any(%(tenants)s::text[]))
),

message_moves AS NOT MATERIALIZED (
    SELECT
        m.user_id,
        m.sent_at,
        1 AS weight
    FROM read_model.lead_messages AS m
    WHERE (%(tenants)s::text[] IS NULL OR m.user_id = any(%(tenants)s::text[]))
),

profile_moves AS NOT MATERIALIZED (
    SELECT
        p.*,
        1 AS weight
    FROM read_model.lead_profiles AS p
    WHERE (%(tenants)s::text[] IS NULL OR p.user_id = any(%(tenants)s::text[]))
),

conversation_moves AS NOT MATERIALIZED (
    SELECT
        c.*,
        1 AS weight
    FROM read_model.lead_conversations AS c
    WHERE (%(tenants)s::text[] IS NULL OR c.user_id = any(%(tenants)s::text[]))
)

SELECT
    ARRAY[{key_texts.table of side}] AS key,
    ARRAY[{sums.table of expected}]::bigint[] AS expected,
    ARRAY[{sums.table of stored}]::bigint[] AS stored
FROM (
    SELECT
        {columns.table of d},
        true AS expected,
        false AS stored
    FROM ({definition.table}) AS d
    UNION ALL
    SELECT
        {columns.table of o},
        false AS expected,
        true AS stored
    FROM read_model.{table} AS o
    WHERE (%(tenants)s::text[] IS NULL OR o.user_id = any(%(tenants)s::text[]))
) AS side
GROUP BY {key.table of side}
HAVING ARRAY[{sums.table of expected}] <> ARRAY[{sums.table of stored}]
    OR (NOT bool_or(side.expected) AND sum({amount.table of side}) = 0);
