-- Limit how long this transaction waits for one of the platform's tables, as before the tenants were locked.
SELECT set_config('lock_timeout', '700ms', true);
