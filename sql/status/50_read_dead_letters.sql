-- The dead letters that failed first, and how many there are.
--
-- Parameter: size.
SELECT
    d.kind,
    d.key,
    d.user_id,
    d.customer_phone,
    d.error,
    d.attempts,
    d.first_failed_at,
    d.retry_at,
    count(*) OVER () AS total
FROM projector.dead_letters AS d
ORDER BY d.first_failed_at, d.kind, d.key
LIMIT %(size)s;
