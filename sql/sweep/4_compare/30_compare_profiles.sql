-- Find the leads whose profile differs from the definition. A lead has a conversation or a counted template send.
WITH profile_leads AS NOT MATERIALIZED (
    SELECT r.*
    FROM piece_leads AS r
),

profile_keys AS NOT MATERIALIZED (
    SELECT r.*
    FROM piece_keys AS r
),

stored_profiles AS NOT MATERIALIZED ({stored.lead_profiles of piece_leads}),

computed_profiles AS NOT MATERIALIZED (
    SELECT d.*
    FROM ({definition.lead_profiles}) AS d
    LEFT JOIN (
        SELECT DISTINCT k.user_id, k.customer_phone FROM piece_keys AS k WHERE k.kind = 'conversation'
    ) AS c ON c.user_id = d.user_id AND c.customer_phone = d.customer_phone
    WHERE c.user_id IS NOT NULL OR d.template_sends_count > 0
)

INSERT INTO differing_leads (user_id, customer_phone)
SELECT DISTINCT
    coalesce(n.user_id, o.user_id),
    coalesce(n.customer_phone, o.customer_phone)
FROM computed_profiles AS n
FULL JOIN stored_profiles AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
WHERE ({columns.lead_profiles of o}) IS DISTINCT FROM ({columns.lead_profiles of n});
