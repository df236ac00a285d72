-- A tenant without dead letters says 0.
UPDATE read_model.tenants AS t
SET dead_letters = 0
WHERE t.dead_letters <> 0
    AND t.user_id NOT IN (SELECT d.user_id FROM projector.dead_letters AS d WHERE d.user_id IS NOT NULL);
