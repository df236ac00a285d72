"""Status: the state of the read model, in short and in full, and what of it needs a person."""
