"""A PostgreSQL server of our own, and everything of this machine in one process group, for a trial and for tests."""
