"""The refresh, which makes the read model follow: it takes changes, recomputes leads, and writes what differs."""
