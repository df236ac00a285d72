"""The end of a page of results or of changes, as a request for the next page gives it."""
