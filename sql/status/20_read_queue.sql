-- How many changes wait, counted up to a bound, and the age of the oldest in seconds.
--
-- Parameter: bound. The oldest is looked for among the first of each shard, single and bulk: within these the order of
-- insertion is that of the queue, and a piece of a mass change has the time of the change that it comes from. A time
-- that the clock has not reached, since it was set back, has no age.
SELECT
    (SELECT count(*) FROM (SELECT 1 FROM projector.changes LIMIT %(bound)s) AS bounded) AS changes,
    extract(EPOCH FROM greatest(clock_timestamp(), min(first.queued_at)) - min(first.queued_at))::float8 AS lag
FROM generate_series(0, 3) AS s (shard)
CROSS JOIN (VALUES (true), (false)) AS b (bulk)
CROSS JOIN LATERAL (
    SELECT c.queued_at
    FROM projector.changes AS c
    WHERE c.shard = s.shard AND c.bulk = b.bulk
    ORDER BY c.change_id
    LIMIT 100
) AS first;
