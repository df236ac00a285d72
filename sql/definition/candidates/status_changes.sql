-- The rows of read_model.lead_status_changes of each lead: when its status changed, as far as the platform has kept its
-- extractions.
--
-- At any moment, a lead has the status of its newest extraction up to then, among those that are not newer than the one
-- that counts now. They are ordered by their stored time, uncut, null first, then as in winning_extractions.sql. An
-- extraction without a time counts as of 1970. An extraction never counts if the next one has the same printed time or
-- an earlier one. No status counts as a status too, but a lead begins without one.
--
-- Reads the same as extractions.sql.
SELECT
    s.user_id,
    s.customer_phone,
    s.changed_at,
    s.lead_status,
    s.total_score,
    s.extraction_id,
    s.conversation_id
FROM (
    SELECT
        n.*,
        lag(n.lead_status) OVER (PARTITION BY n.user_id, n.customer_phone ORDER BY n.place) AS from_status
    FROM (
        SELECT
            k.*,
            min(k.changed_at) OVER (
                PARTITION BY k.user_id, k.customer_phone
                ORDER BY k.place ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ) AS next_at
        FROM (
            SELECT
                p.*,
                max(p.place) FILTER (WHERE p.rank = 1) OVER (PARTITION BY p.user_id, p.customer_phone) AS last_place
            FROM (
                SELECT
                    e.user_id,
                    e.customer_phone,
                    projector.clamp_time(coalesce(e.extracted_at, 'epoch')) AS changed_at,
                    projector.lead_status(e.lead_status_tag) COLLATE "C" AS lead_status,
                    coalesce(
                        e.total_score,
                        e.intent_score + e.urgency_score + e.budget_score + e.fit_score + e.engagement_score
                    ) AS total_score,
                    e.extraction_id::text COLLATE "C" AS extraction_id,
                    e.conversation_id,
                    row_number() OVER (
                        PARTITION BY e.user_id, e.customer_phone
                        ORDER BY
                            e.extracted_at ASC NULLS FIRST,
                            e.is_latest IS TRUE,
                            projector.extraction_order(e.extraction_id)
                    ) AS place,
                    row_number() OVER (
                        PARTITION BY e.user_id, e.customer_phone
                        ORDER BY
                            e.is_latest IS TRUE DESC,
                            e.extracted_at DESC NULLS LAST,
                            projector.extraction_order(e.extraction_id) DESC
                    ) AS rank
                FROM ({definition.extractions}) AS e
            ) AS p
        ) AS k
        WHERE k.place <= k.last_place
    ) AS n
    WHERE n.next_at IS NULL OR n.next_at > n.changed_at
) AS s
WHERE s.lead_status IS DISTINCT FROM s.from_status
