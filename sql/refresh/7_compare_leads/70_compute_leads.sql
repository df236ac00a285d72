-- Compute the stale leads from their profiles, their conversations and their last messages.
INSERT INTO new_leads ({columns.leads})
SELECT {columns.leads of d}
FROM ({definition.leads}) AS d;
