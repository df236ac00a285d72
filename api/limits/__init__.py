"""The limits on requests: how many, how many at once, and how long they wait."""
