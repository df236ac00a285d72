-- What was extracted from a conversation. The last columns are attributes of the lead.
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
    e.lead_status_tag,
    e.requirements,
    string_to_array(e.custom_cta, ',') AS custom_cta,
    e.in_detail_summary,
    e.smart_notification,
    e.demo_book_datetime
FROM extractions AS e;
