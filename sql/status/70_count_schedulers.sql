-- How many sessions of schedulers are connected, and whether we may see those of other users at all.
--
-- Parameter: application_name, how theirs begin.
SELECT
    count(*) FILTER (WHERE starts_with(a.application_name, %(application_name)s)) AS sessions,
    bool_and(a.application_name IS NOT NULL) AS is_all_seen
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = current_database();
