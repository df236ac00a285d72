"""The list of leads: which leads match, in which order, and which way leads to the page."""
