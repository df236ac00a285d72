"""Logs, metrics and traces of the API."""
