"""Writers, readers and faults for an hour, and a checker that judges what was recorded."""
