SELECT
    a.id AS user_id,
    a.name
FROM apps AS a;
