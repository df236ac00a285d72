-- The problem of capture, or null: triggers that are missing or were changed since they were installed, and changes of
-- the source without a trigger.
--
-- Every expected trigger has a row in capture_triggers, with an empty fingerprint until it is installed: so an
-- incomplete installation is a problem too.
--
-- Every batch reads this view. The outer CASE finds out by one scan of the catalog, without a join by names, whether
-- anything is wrong. PostgreSQL plans a view together with the statement that reads it; before version 18 it would plan
-- a function again at each call. MATERIALIZED makes it plan each of the other views once, instead of once for each use.
CREATE OR REPLACE VIEW projector.broken_capture AS
WITH changed AS MATERIALIZED (SELECT c.* FROM projector.changed_source AS c),

fingerprints AS MATERIALIZED (SELECT f.* FROM projector.capture_fingerprints AS f)

SELECT
    CASE
        WHEN
            EXISTS (SELECT FROM changed)
            OR NOT EXISTS (SELECT FROM projector.capture_triggers)
            OR EXISTS (
                SELECT
                FROM projector.capture_triggers AS e
                WHERE (e.table_name, e.fingerprint) NOT IN (
                    SELECT
                        n.table_name,
                        n.fingerprint
                    FROM fingerprints AS n
                )
            )
            THEN (
                SELECT
                    CASE
                        WHEN coalesce(bool_and(one.never), true) THEN 'no capture trigger was ever installed'
                        WHEN bool_and(one.missing = one.triggers) THEN 'all capture triggers are missing'
                        WHEN bool_and(one.changed = one.triggers) AND NOT EXISTS (SELECT FROM changed)
                            THEN 'all capture triggers were changed, as by a restore or an upgrade of the server'
                        ELSE concat_ws(
                            ', ',
                            (
                                SELECT string_agg(s.reason, ', ' ORDER BY s.place, s.reason)
                                FROM (
                                    SELECT DISTINCT
                                        c.place,
                                        c.reason
                                    FROM changed AS c
                                ) AS s
                            ),
                            string_agg(one.reason, ', ' ORDER BY one.table_name)
                        )
                    END
                FROM (
                    SELECT
                        e.table_name,
                        bool_and(e.fingerprint = '') AS never,
                        count(*) AS triggers,
                        count(*) FILTER (WHERE n.fingerprint IS NULL) AS missing,
                        count(*) FILTER (WHERE n.fingerprint <> e.fingerprint) AS changed,
                        CASE
                            WHEN bool_and(n.fingerprint IS NULL)
                                THEN 'all capture triggers on ' || e.table_name || ' are missing'
                            WHEN bool_and(n.fingerprint <> e.fingerprint)
                                THEN 'all capture triggers on ' || e.table_name || ' were changed'
                            ELSE string_agg(
                                e.trigger_name || ' on ' || e.table_name
                                || CASE WHEN n.fingerprint IS NULL THEN ' is missing' ELSE ' was changed' END,
                                ', ' ORDER BY e.trigger_name
                            ) FILTER (WHERE n.fingerprint IS DISTINCT FROM e.fingerprint)
                        END AS reason
                    FROM projector.capture_triggers AS e
                    LEFT JOIN fingerprints AS n
                        ON n.table_name = e.table_name AND n.trigger_name = e.trigger_name
                    GROUP BY e.table_name
                ) AS one
            )
    END AS reason;
COMMENT ON VIEW projector.broken_capture IS 'The problem of capture: one row, its reason null while every trigger is as it was installed.';
