-- Let lead_totals of an older version have rows of new_day and new_hour.
DO $$
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_catalog.pg_constraint AS c
        WHERE c.conrelid = 'read_model.lead_totals'::regclass
            AND c.conname = 'lead_totals_granularity_check'
            AND pg_get_constraintdef(c.oid) NOT LIKE '%new_day%'
    ) THEN
        ALTER TABLE read_model.lead_totals
            DROP CONSTRAINT lead_totals_granularity_check,
            ADD CONSTRAINT lead_totals_granularity_check
                CHECK (granularity IN ('all', 'day', 'hour', 'new_day', 'new_hour'));
    END IF;
END
$$;
