"""`leads-mcp` gives an agent tools on the API."""

import asyncio
import sys
from importlib.util import find_spec

import click

from api import __version__, config

_HELP = """\
Give an agent tools on the API at URL: find, get, messages, history, statistics, funnel, facets, attributes, changes,
status_changes, explain, freshness.

Without --port it speaks MCP over stdio to the agent that starts it, and shows the API the credential in
LEADS_MCP_TOKEN. With --port it serves streamable HTTP at /mcp, and shows the API what each request has in
Authorization. It reads only, and it writes no call to a log.

\b
Examples:
  leads-mcp http://localhost:4000
  leads-mcp --port 4001 http://localhost:4000

\b
Exit codes:
  0    The agent ended it.
  1    It cannot listen on the port, the extra mcp is not installed, or Ctrl-C ended it.
  2    A setting or an option is not valid.
  143  SIGTERM ended it.
"""


@click.command(help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message=f"leads-mcp {__version__}")
@click.argument("url", default="http://localhost:4000")
@click.option("--port", type=click.IntRange(1, 65535), help="Serve HTTP on this port.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that --port is of.")
@click.option("--name", "names", multiple=True, help="A name by which agents reach --port, beside localhost.")
def cli(url: str, port: int | None, host: str, names: tuple[str, ...]) -> None:
    """Serve until the agent closes the pipe or a signal comes."""
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("it begins with http:// or https://", param_hint="URL")
    if find_spec("mcp") is None:
        sys.exit(
            "The SDK of MCP is not installed: install requirements-mcp.lock in the environment of leads-mcp."
        )
    from api.mcp import server  # noqa: PLC0415  # It imports the SDK, which an extra installs.

    if port is not None:
        server.serve_http(url, host, port, names)
        return
    try:
        token = config.agent_token()
    except config.ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    asyncio.run(server.serve_stdio(url, token))


if __name__ == "__main__":
    cli()
