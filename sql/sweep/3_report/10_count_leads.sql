-- Count the leads of the piece, as they are stored or as they should be: a key whose rows make no lead is none.
SELECT (
    SELECT count(*)
    FROM old_leads
) + (
    SELECT count(*)
    FROM lead_differences AS d
    WHERE d.table_name = 'leads' AND d.is_new
) AS leads;
