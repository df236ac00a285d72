"""The process that keeps the read model of leads equal to its source tables."""

__version__ = "0.2.0"
