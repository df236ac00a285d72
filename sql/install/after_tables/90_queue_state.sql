-- The state of the whole queue, for opening a batch and for the scheduler's check: provable_until, the moment before
-- which all commits are here; gap, how the catalog differs from when the triggers were installed, or null;
-- migrated_version, the version that the last `migrate` installed; freshness_frozen, whether freshness has to stand
-- still because a gap is not healed yet; has_late_keys, whether late keys wait. It does not depend on the read model,
-- which may be dropped and restored alone.
CREATE OR REPLACE VIEW projector.queue_state AS
SELECT
    least(now(), (SELECT p.until FROM projector.provable AS p)) AS provable_until,
    (SELECT b.reason FROM projector.broken_capture AS b) AS gap,
    (SELECT s.value FROM projector.settings AS s WHERE s.name = 'installed_version') AS migrated_version,
    EXISTS (SELECT FROM projector.capture_gaps AS g WHERE g.healed_at IS NULL) AS freshness_frozen,
    EXISTS (SELECT FROM projector.late_keys) AS has_late_keys;
COMMENT ON VIEW projector.queue_state IS 'The state of the queue as a whole, in one row.';

-- This version may know the kinds of changes that the one before has put aside.
UPDATE projector.changes
SET shard = shard - 10
WHERE shard >= 10;
