SELECT
    o.id AS user_id,
    o.name
FROM orgs_org AS o;
