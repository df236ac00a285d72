"""Who may read what: a caller sends a bearer token or an API key, and may read the tenant that this names."""
