"""What makes the read model follow: take changes, recompute leads, write what differs."""
