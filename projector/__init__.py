"""The process that keeps the read model of leads equal to its source tables."""

__version__ = "0.1.0"
