-- Read what the read model holds of the stale leads, before anything of them is written.
--
-- on: read_model
INSERT INTO old_leads ({columns.leads})
SELECT {columns.leads of r}
FROM stale_leads AS l
CROSS JOIN LATERAL (
    SELECT rl.*
    FROM read_model.leads AS rl
    WHERE rl.user_id = l.user_id AND rl.customer_phone = l.customer_phone
    OFFSET 0
) AS r;
