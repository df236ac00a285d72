"""The tests; all of them use a real PostgreSQL."""
