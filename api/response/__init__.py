"""Turns rows and errors into the bytes of an answer, and has the document that describes these."""
