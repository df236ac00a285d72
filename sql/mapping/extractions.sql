-- What was extracted from a conversation.
SELECT
    e.extraction_id,
    e.conversation_id,
    e.extracted_at,
    e.is_latest,
    e.name,
    e.email,
    e.company,
    e.intent_score,
    e.urgency_score,
    e.budget_score,
    e.fit_score,
    e.engagement_score,
    e.total_score,
    e.lead_status_tag
FROM extractions AS e;
