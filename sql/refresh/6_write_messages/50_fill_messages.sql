-- Write the messages of leads that have no stored rows.
--
-- when: fills
INSERT INTO read_model.lead_messages ({columns.lead_messages})
SELECT {columns.lead_messages of n}
FROM new_messages AS n;
