"""What an operator sees of the API: logs, metrics and traces."""
