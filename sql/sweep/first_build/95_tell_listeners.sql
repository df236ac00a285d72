-- Tell the APIs that listen that everything may have changed, once this transaction commits.
SELECT pg_notify('leads', '*');
