-- Count the leads of the piece that are stored or should be. A key whose rows make no lead does not count.
SELECT (
    SELECT count(*)
    FROM old_leads
) + (
    SELECT count(*)
    FROM lead_differences AS d
    WHERE d.table_name = 'leads' AND d.is_new
) AS leads;
