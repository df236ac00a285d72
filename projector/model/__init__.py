"""What only the model of leads knows: a sweep, a first build and an erasure take it from here."""
