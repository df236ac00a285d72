-- What recovery asks: whether everything has to be rebuilt, and what an interrupted rebuild left.

-- name: read_projection
-- Returns: version and built_at of the read model.
SELECT
    p.version,
    p.built_at
FROM read_model.projection AS p;

-- name: find_rebuild_reasons
-- Returns: switched_off, why an operator switched capture off; gap, why changes may have been missed, or were shed for
-- a rebuild; interrupted, whether a rebuild of everything ended before its end or is in progress elsewhere (the holder
-- of the rebuild lock knows which); unfinished_runs, whether the run log has a rebuild that has not ended.
SELECT
    (SELECT s.value FROM projector.settings AS s WHERE s.name = 'capture_off') AS switched_off,
    coalesce(
        (
            SELECT g.reason
            FROM projector.capture_gaps AS g
            WHERE g.healed_at IS NULL
            ORDER BY g.gap_id
            LIMIT 1
        ),
        (SELECT b.reason FROM projector.broken_capture AS b)
    ) AS gap,
    EXISTS (SELECT FROM projector.rebuild_plan) AS interrupted,
    EXISTS (
        SELECT
        FROM projector.runs AS r
        WHERE r.kind = 'rebuild' AND r.outcome = 'running'
    ) AS unfinished_runs;

-- name: count_changes_up_to
-- Returns: how many changes wait, counted up to a bound: a queue that is far too deep is not read to its end.
-- Parameter: bound.
SELECT count(*) AS changes
FROM (SELECT FROM projector.changes LIMIT %(bound)s) AS bounded;

-- name: read_newest_change
-- Returns: the greatest change_id that waits.
SELECT max(c.change_id) AS change_id
FROM projector.changes AS c;

-- name: shed_changes
-- Deletes waiting changes of an owned shard, since a rebuild of everything follows.
-- Parameters: shard; newest, the change_id up to which they go; size. Why nothing is lost: a change that can be seen
-- here was committed together with its source row, so the rebuild, which begins later and reads all source rows,
-- contains it; what cannot be seen yet stays in the queue. Before the first deletion a gap is opened, which freezes
-- freshness and which only a rebuild that begins after the last one closes; both happen under the lock of rebuilds. A
-- ctid is safe, as in 1_take/40_take_changes.sql.
DELETE FROM projector.changes
WHERE ctid = any(
    ARRAY(
        SELECT c.ctid
        FROM projector.changes AS c
        WHERE c.shard = %(shard)s AND c.change_id <= %(newest)s
        LIMIT %(size)s
    )
);

-- name: open_shed_gap
-- Opens the gap of changes that are shed for a rebuild. Capture is intact, so readiness does not change.
-- Parameter: reason.
INSERT INTO projector.capture_gaps (reason, reinstalled_at)
VALUES (%(reason)s, clock_timestamp());

-- name: note_interrupted_runs
-- Notes of rebuilds whose process ended first that they were interrupted. Only the holder of the rebuild lock can
-- tell.
UPDATE projector.runs
SET outcome = 'interrupted', finished_at = clock_timestamp()
WHERE kind = 'rebuild' AND outcome = 'running';
