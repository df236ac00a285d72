-- Drop the tombstones: a build ends all tokens of the change feeds, and brings in whatever has come again.
--
-- for: lead_tombstones status_change_tombstones
DELETE FROM read_model.{table};
