-- Tell the APIs that listen that everything may have changed, once this transaction commits.
SELECT pg_notify('leads', '*')
WHERE pg_notification_queue_usage() <= 0.9;
