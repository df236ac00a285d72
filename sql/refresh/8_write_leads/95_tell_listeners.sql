-- Notify the listening APIs which tenants have changed, once this transaction commits.
--
-- when: tenants_change
-- unless: fills
-- Every login of the database may listen, so a tenant is named by the beginning of a SHA-256, as in
-- api/database/listen.py. A message may have 8,000 bytes.
--
-- No notification is sent while the server's queue is nearly full, which any login can cause: a full queue would fail
-- this transaction. Streams also poll by themselves.
SELECT pg_notify('leads', CASE WHEN count(*) > 500 THEN '*' ELSE string_agg(changed.name, ' ') END)
FROM (
    SELECT DISTINCT left(encode(sha256(convert_to(t.user_id, 'UTF8')), 'hex'), 12) AS name
    FROM stale_tenants AS t
) AS changed
HAVING pg_notification_queue_usage() <= 0.9;
