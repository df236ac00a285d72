"""Who may read what: a caller shows a bearer token or an API key, and reads the tenant that it names."""
