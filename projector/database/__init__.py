"""Connections to PostgreSQL, the SQL of the project, and the errors that an operator sees."""
