"""The entry points of the server: Flask for answers, and streams on the event loop."""
