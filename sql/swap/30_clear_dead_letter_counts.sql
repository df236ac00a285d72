-- And the tenants say so.
UPDATE read_model.tenants
SET dead_letters = 0
WHERE dead_letters <> 0;
