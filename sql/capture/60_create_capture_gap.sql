-- What is wrong with capture: the triggers that are missing or were changed since they were installed; null when none.
CREATE OR REPLACE FUNCTION projector.capture_gap()
RETURNS text
LANGUAGE sql
STABLE
AS $$
    SELECT CASE
        WHEN count(*) = 0 THEN 'no capture trigger was ever installed'
        ELSE string_agg(
            e.trigger_name || ' on ' || e.table_name
            || CASE WHEN n.fingerprint IS NULL THEN ' is missing' ELSE ' was changed' END,
            ', ' ORDER BY e.table_name, e.trigger_name
        ) FILTER (WHERE n.fingerprint IS DISTINCT FROM e.fingerprint)
    END
    FROM projector.capture_triggers AS e
    LEFT JOIN projector.capture_fingerprints AS n
        ON n.table_name = e.table_name AND n.trigger_name = e.trigger_name
$$;
