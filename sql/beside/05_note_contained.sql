-- The changes that wait at the snapshot of a rebuild: its rows contain them, so that the swap drops what of them still
-- waits then. No more than some, since it does so while no refresh can run.
CREATE TEMPORARY TABLE contained_changes AS
SELECT c.change_id
FROM projector.changes AS c
LIMIT 100000;
