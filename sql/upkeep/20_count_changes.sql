-- How many changes wait, counted up to a bound: a queue that is far too deep is not read to its end.
--
-- Parameter: bound.
SELECT count(*) AS changes
FROM (SELECT 1 FROM projector.changes LIMIT %(bound)s) AS bounded;
