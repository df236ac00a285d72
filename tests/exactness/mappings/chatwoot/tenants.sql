SELECT a.id AS user_id FROM accounts AS a;
