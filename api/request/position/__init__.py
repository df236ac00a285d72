"""Where a page of results or of changes ended, in the form in which a request for the next one says it."""
