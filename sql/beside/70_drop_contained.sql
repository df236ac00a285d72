-- Drop the changes that the tables beside contain since they were built.
DELETE FROM projector.changes AS c
USING contained_changes AS n
WHERE c.change_id = n.change_id;
