-- The rows of read_model.lead_counts: how many leads there are of each combination of facets.
--
-- Reads lead_moves, rows as in read_model.leads with a weight: 1 for a new row, -1 for an old one.
SELECT
    {key.lead_counts},
    sum(weight)::integer AS leads
FROM lead_moves
GROUP BY {key.lead_counts}
