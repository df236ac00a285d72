-- Limit how long this transaction waits for one of the platform's tables.
--
-- A TRUNCATE … CASCADE of the platform locks its tables one after the other, and a batch reads them in another order.
-- PostgreSQL checks for a deadlock after a second, and may then cancel the platform's statement. So the batch gives up
-- before that.
--
-- Parameter: statement_timeout, how long a statement may run. A function of the mapping may never end.
SELECT
    set_config('lock_timeout', '700ms', true),
    set_config('statement_timeout', %(statement_timeout)s, true);
