-- The subscriptions that bring rows of the source tables.

-- name: read_feeds
-- Returns each subscription that feeds source tables: name, slot_name, is_enabled, unready_tables, has_worker, position
-- and errors, as projector.feeds says.
SELECT
    f.name,
    f.slot_name,
    f.is_enabled,
    f.unready_tables,
    f.has_worker,
    f.position::text AS position,
    f.errors
FROM projector.feeds AS f
ORDER BY f.name;

-- name: read_unfed_tables
-- Returns the names of the source tables that no subscription brings, as projector.unfed_tables says.
SELECT u.name
FROM projector.unfed_tables AS u
ORDER BY u.name;

-- name: read_errors
-- Returns: errors, of the subscriptions when a proof was noted last; no row before the first.
SELECT o.errors
FROM projector.origin AS o;
