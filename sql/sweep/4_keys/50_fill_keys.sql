-- Insert the keys of a kind, in their order, into the key table, which has none of them.
--
-- Parameter: kind.
INSERT INTO projector.source_keys ({columns.source_keys})
SELECT {columns.source_keys of d}
FROM projector.current_keys() AS d
WHERE d.kind = %(kind)s
ORDER BY d.key COLLATE "C";
