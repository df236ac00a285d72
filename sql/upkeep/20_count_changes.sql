-- How many changes wait, counted up to a bound: a queue that is far too deep is not read to its end.
--
-- Parameter: bound. Returns also the newest change_id that could be seen.
SELECT
    count(*) AS changes,
    (SELECT max(c.change_id) FROM projector.changes AS c) AS newest
FROM (SELECT 1 FROM projector.changes LIMIT %(bound)s) AS bounded;
