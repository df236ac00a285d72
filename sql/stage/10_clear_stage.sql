-- Clear the stage of the batch before, which may have been rolled back or not.
WITH
stage_changes_cleared AS (
    DELETE FROM stage_changes
),

stale_conversations_cleared AS (
    DELETE FROM stale_conversations
),

stale_contacts_cleared AS (
    DELETE FROM stale_contacts
),

stale_sends_cleared AS (
    DELETE FROM stale_sends
),

stale_tenants_cleared AS (
    DELETE FROM stale_tenants
),

stale_messages_cleared AS (
    DELETE FROM stale_messages
),

dirty_leads_cleared AS (
    DELETE FROM dirty_leads
),

stale_leads_cleared AS (
    DELETE FROM stale_leads
),

stage_conversations_cleared AS (
    DELETE FROM stage_conversations
),

stage_messages_cleared AS (
    DELETE FROM stage_messages
),

old_messages_cleared AS (
    DELETE FROM old_messages
),

stage_message_changes_cleared AS (
    DELETE FROM stage_message_changes
),

stage_lead_conversations_cleared AS (
    DELETE FROM stage_lead_conversations
),

old_conversations_cleared AS (
    DELETE FROM old_conversations
),

stage_last_messages_cleared AS (
    DELETE FROM stage_last_messages
),

stage_profiles_cleared AS (
    DELETE FROM stage_profiles
),

old_profiles_cleared AS (
    DELETE FROM old_profiles
),

stage_leads_cleared AS (
    DELETE FROM stage_leads
),

old_leads_cleared AS (
    DELETE FROM old_leads
)

DELETE FROM stage_stats;
