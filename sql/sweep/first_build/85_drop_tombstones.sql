-- Drop the tombstones: a build ends all tokens of the change feed, and brings in whatever lead has come again.
DELETE FROM read_model.lead_tombstones;
