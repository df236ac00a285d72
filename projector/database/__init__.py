"""Connections to PostgreSQL, and the SQL of the project."""
