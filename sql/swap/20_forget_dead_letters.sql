-- A rebuild is strict: it is done, so whatever was set aside before can be projected now.
DELETE FROM projector.dead_letters;
