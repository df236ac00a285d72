-- Open the gap of changes that are traded for a rebuild. Capture is intact, so readiness is not told.
--
-- Parameter: reason.
INSERT INTO projector.capture_gaps (reason, reinstalled_at)
VALUES (%(reason)s, clock_timestamp());
