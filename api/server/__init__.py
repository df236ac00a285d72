"""What the server calls: Flask for answers, and streams on the event loop."""
