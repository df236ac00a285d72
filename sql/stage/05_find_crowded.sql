-- Whether the stage holds so much that was deleted that scans of it cost more than a truncation: after a batch of some
-- hundreds of leads or messages.
SELECT
    coalesce(
        (
            SELECT sum(pg_relation_size(to_regclass(stage.name)))
            FROM unnest(ARRAY[
                'stage_messages', 'stage_message_changes', 'stale_messages', 'stage_conversations', 'stage_leads'
            ]) AS stage (name)
        ) > 400000,
        false
    ) AS crowded;
