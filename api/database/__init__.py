"""From a statement to typed rows: the only code of the API that talks to PostgreSQL."""
