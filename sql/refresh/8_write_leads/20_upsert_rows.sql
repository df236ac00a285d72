-- Write the conversations and the profiles that differ. The profile of a lead that is gone was computed too.
--
-- for: lead_conversations lead_profiles
-- when: {table}_differ
INSERT INTO read_model.{table} ({columns.table})
SELECT {columns.table of n}
FROM new_{table} AS n
INNER JOIN lead_differences AS d
    ON d.table_name = '{table}' AND NOT d.is_gone AND ({key.table of d}) = ({key.table of n})
ON CONFLICT ({key.table}) DO UPDATE SET {updates.table};
