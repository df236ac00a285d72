-- What the metrics of the projector read besides the status.

-- name: read_found_differences
-- Returns how many leads, keys and statistics were ever found to differ.
SELECT p.found_differences
FROM read_model.projection AS p;
