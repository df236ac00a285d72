-- Give the tables and columns of version 0.1 their names of today, and make the projection version a text.
--
-- A batch that an older projector has in progress is waited for. One that has yet to begin fails then, and its
-- changes stay in the queue.
DO $$
BEGIN
    IF to_regclass('projector.conversation_keys') IS NULL THEN
        RETURN;
    END IF;
    LOCK TABLE read_model.leads IN SHARE MODE;
    ALTER TABLE read_model.lead_stats RENAME TO lead_counts;
    ALTER INDEX read_model.lead_stats_key RENAME TO lead_counts_key;
    ALTER TABLE read_model.lead_day_stats RENAME TO lead_daily_counts;
    ALTER INDEX read_model.lead_day_stats_key RENAME TO lead_daily_counts_key;
    ALTER TABLE read_model.lead_span_stats RENAME TO lead_totals;
    ALTER TABLE read_model.lead_totals RENAME COLUMN span TO granularity;
    ALTER TABLE read_model.lead_totals RENAME COLUMN begins TO bucket_start;
    ALTER TABLE read_model.lead_totals RENAME CONSTRAINT lead_span_stats_pkey TO lead_totals_pkey;
    ALTER TABLE read_model.lead_totals RENAME CONSTRAINT lead_span_stats_span_check TO lead_totals_granularity_check;
    ALTER TABLE read_model.lead_conversations RENAME COLUMN noted_last_message_at TO source_last_message_at;
    ALTER TABLE read_model.projection ALTER COLUMN version TYPE text COLLATE "C" USING version::text;
END
$$;
