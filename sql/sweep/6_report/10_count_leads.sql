-- Count the leads of the piece, as they are stored or as they should be: a key whose rows make no lead is none.
--
-- Of the leads that differ, what is stored and what should be was staged before.
SELECT (
    SELECT count(*)
    FROM piece_leads AS p
    CROSS JOIN LATERAL (
        SELECT 1
        FROM read_model.leads AS l
        WHERE l.user_id = p.user_id AND l.customer_phone = p.customer_phone
        {fence}
    ) AS stored
) + (
    SELECT count(*)
    FROM lead_differences AS d
    WHERE d.table_name = 'leads' AND d.is_new
) AS leads;
