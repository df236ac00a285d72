-- Keep the number of dead letters in each tenant's row, where the API reads it.
INSERT INTO read_model.tenants AS t (user_id, dead_letters)
SELECT
    d.user_id,
    count(*)
FROM projector.dead_letters AS d
WHERE d.user_id IS NOT NULL
GROUP BY d.user_id
ON CONFLICT (user_id) DO UPDATE SET dead_letters = excluded.dead_letters
WHERE t.dead_letters <> excluded.dead_letters;
