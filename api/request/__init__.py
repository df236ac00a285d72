"""From a query string or a path to checked parameters; nothing here knows the database."""
