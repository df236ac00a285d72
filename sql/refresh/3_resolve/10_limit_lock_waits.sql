-- Limit how long this transaction waits for one of the platform's tables, and how long a statement
-- runs, as before the tenants were locked.
SELECT
    set_config('lock_timeout', '700ms', true),
    set_config('statement_timeout', %(statement_timeout)s, true);
