-- Limit how long this transaction waits for one of the platform's tables, in which the next step looks for tenants:
-- 2_lock/10_limit_lock_waits.sql says why.
--
-- when: choosing
SELECT set_config('lock_timeout', '700ms', true);
