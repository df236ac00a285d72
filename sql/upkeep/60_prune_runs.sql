-- Forget runs and healed gaps of long ago.
--
-- Parameter: days.
WITH gaps_pruned AS (
    DELETE FROM projector.capture_gaps
    WHERE healed_at < clock_timestamp() - make_interval(days => %(days)s)
)

DELETE FROM projector.runs
WHERE started_at < clock_timestamp() - make_interval(days => %(days)s);
