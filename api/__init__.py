"""The HTTP API: validates a request, builds one SELECT on the read model, prints what comes back."""

__version__ = "0.2.0"
