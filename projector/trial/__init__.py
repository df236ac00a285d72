"""The embedded server and the demo data, for trials and tests."""
