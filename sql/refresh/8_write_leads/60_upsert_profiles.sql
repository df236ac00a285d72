-- Write the profiles that differ, and no other. That of a lead which is gone was computed too.
--
-- when: lead_profiles_differ
INSERT INTO read_model.lead_profiles ({columns.lead_profiles})
SELECT {columns.lead_profiles of n}
FROM new_profiles AS n
INNER JOIN lead_differences AS d
    ON d.table_name = 'lead_profiles' AND NOT d.is_gone AND ({key.lead_profiles of d}) = ({key.lead_profiles of n})
ON CONFLICT ({key.lead_profiles}) DO UPDATE SET {updates.lead_profiles};
