"""Rules on the files of the project: they need no database and name the next file to touch."""
