-- Drop the functions of version 0.1 that have another name today.
DROP FUNCTION IF EXISTS projector.filled(text);
DROP FUNCTION IF EXISTS projector.cut_time(timestamptz);
DROP FUNCTION IF EXISTS projector.printed_time(timestamptz);
DROP FUNCTION IF EXISTS projector.begin_again();
