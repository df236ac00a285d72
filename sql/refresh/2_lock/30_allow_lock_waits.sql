-- Wait for the locks of tenants as long as another batch holds them.
SELECT
    set_config('lock_timeout', '0', true),
    set_config('statement_timeout', '0', true);
