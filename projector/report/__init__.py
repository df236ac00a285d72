"""What a run says: its log, its progress and its result."""
