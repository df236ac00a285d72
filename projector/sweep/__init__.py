"""Rebuild, verify and heal: what goes over all leads."""
