-- Tell the APIs that listen which tenants have changed, once this transaction commits.
--
-- when: tenants_change
-- Every login of the database may listen, so a tenant is the beginning of a SHA-256: api/database/listen.py has the
-- same. A message may have 8,000 bytes.
--
-- Nobody is told while the queue of the server is nearly full, which any login may bring about: a full one would fail
-- this transaction. Streams look by themselves, too.
SELECT pg_notify('leads', CASE WHEN count(*) > 500 THEN '*' ELSE string_agg(changed.name, ' ') END)
FROM (
    SELECT DISTINCT left(encode(sha256(convert_to(t.user_id, 'UTF8')), 'hex'), 12) AS name
    FROM stale_tenants AS t
) AS changed
HAVING pg_notification_queue_usage() <= 0.9;
