"""The tools of an agent (Model Context Protocol): a separate process, which calls the API like any other client."""
