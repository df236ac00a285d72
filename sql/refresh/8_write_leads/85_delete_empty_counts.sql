-- Delete the attributes that no lead of a tenant has.
--
-- when: attributes_move
-- unless: fills
DELETE FROM read_model.attribute_counts AS stored
USING stale_tenants AS t
WHERE stored.user_id = t.user_id AND stored.leads = 0
    {tenants};
