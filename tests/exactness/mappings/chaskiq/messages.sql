-- The text of a part is in a table of its own. Parts of other kinds, such as events and blocks, and notes are none.
SELECT
    p.id AS message_id,
    p.conversation_id,
    CASE p.authorable_type WHEN 'AppUser' THEN 'user' ELSE 'agent' END AS sender,
    coalesce(t.text_content, t.html_content) AS text,
    p.created_at AS timestamp
FROM conversation_parts AS p
INNER JOIN conversation_part_contents AS t ON t.id = p.messageable_id
WHERE p.messageable_type = 'ConversationPartContent' AND p.private_note IS NOT true;
