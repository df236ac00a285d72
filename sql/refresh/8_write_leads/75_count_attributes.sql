-- Update the number of leads that have each attribute.
--
-- when: attributes_move
-- unless: fills
-- The profile of a lead that is gone was computed too.
WITH profile_moves AS NOT MATERIALIZED (
    SELECT
        n.user_id,
        n.attributes,
        1 AS weight
    FROM new_lead_profiles AS n
    INNER JOIN new_leads AS l ON l.user_id = n.user_id AND l.customer_phone = n.customer_phone
    UNION ALL
    SELECT
        o.user_id,
        o.attributes,
        -1 AS weight
    FROM old_lead_profiles AS o
),

conversation_moves AS NOT MATERIALIZED (
    SELECT
        n.user_id,
        n.customer_phone,
        n.attributes,
        1 AS weight
    FROM new_lead_conversations AS n
    UNION ALL
    SELECT
        o.user_id,
        o.customer_phone,
        o.attributes,
        -1 AS weight
    FROM old_lead_conversations AS o
)

INSERT INTO read_model.attribute_counts AS s ({columns.attribute_counts})
SELECT {columns.attribute_counts of d}
FROM ({definition.attribute_counts}) AS d
WHERE d.leads <> 0
ON CONFLICT ({key.attribute_counts}) DO UPDATE SET {additions.attribute_counts of s};
