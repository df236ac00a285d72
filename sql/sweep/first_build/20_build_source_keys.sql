-- Every conversation, contact and template send, and its lead.
--
-- analyze: projector.source_keys
INSERT INTO projector.source_keys ({columns.source_keys})
SELECT {columns.source_keys of d}
FROM projector.current_keys() AS d;
