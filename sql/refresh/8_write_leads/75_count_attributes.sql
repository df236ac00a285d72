-- Add to the number of leads that have each attribute by how much it moves.
--
-- when: attributes_move
INSERT INTO read_model.attribute_counts AS s ({columns.attribute_counts})
SELECT {columns.attribute_counts of d}
FROM ({definition.attribute_counts}) AS d
WHERE d.leads <> 0
ON CONFLICT ({key.attribute_counts}) DO UPDATE SET {additions.attribute_counts of s};
