SELECT 'libredesk' AS user_id;
