"""The tools of an agent (Model Context Protocol): a process of its own, and a caller of the API like any other."""
