-- Say of rebuilds that ended with their process that they did. Only who holds the lock of rebuilds can tell.
UPDATE projector.runs
SET outcome = 'interrupted', finished_at = clock_timestamp()
WHERE kind = 'rebuild' AND outcome = 'running';
