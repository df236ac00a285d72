"""The options of `python -m api`."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from textwrap import fill

import orjson

from api.auth.key_commands import add_commands
from api.config.names import OF_API
from api.observe.version import installed_version
from api.response.openapi.document import document

# Pages for people, which the OpenAPI document leaves out.
_UNDESCRIBED = [
    ("/docs/", "A page to try the API in a browser"),
    ("/", "A page for people, which shows the leads"),
]
_WIDTH = 100
_DESCRIPTION = """\
Serves the read model of leads over HTTP, until SIGTERM or Ctrl-C stops it.

The settings come from the environment, or from a file .env in the current folder; the environment
wins. `python -m api keys --help` explains how to create, list and revoke API keys.
"""
_EPILOG = """\
settings:
{settings}

endpoints:
{endpoints}

exit codes:
  0  A signal stopped it.
  1  It cannot listen on HOST and PORT, or its workers ended by themselves.
  2  A setting or an option is not valid.

documentation, in the source of the project:
  docs/api.md             Endpoints, parameters, headers, errors, log lines.
  docs/authentication.md  Who may read what: bearer tokens and API keys.
  docs/settings.md        All settings, those of the projector too.
  docs/operating.md       How to install, run, upgrade and remove it.
"""


def parse(arguments: list[str]) -> Namespace:
    """Returns what is asked for; its `command` is None to serve.

    Prints the help or the version and exits if an option asks for it. Exits with 2 for an option that does not exist.
    """
    parser = ArgumentParser(
        prog="python -m api",
        formatter_class=RawDescriptionHelpFormatter,
        description=_DESCRIPTION,
        epilog=_EPILOG.format(settings=_settings(), endpoints=_endpoints()),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"leads-api {installed_version()}")
    add_commands(parser)
    return parser.parse_args(arguments)


def _settings() -> str:
    lines = []
    for name, setting in OF_API.items():
        lines.append(f"  {name}={setting.default}")
        lines.append(
            fill(setting.description, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6,
                 break_on_hyphens=False, break_long_words=False)
        )  # fmt: skip
    return "\n".join(lines)


def _endpoints() -> str:
    described = [
        (path, operation["summary"])
        for path, operations in orjson.loads(document())["paths"].items()
        for operation in operations.values()
    ]
    described += _UNDESCRIBED
    width = max(len(path) for path, _ in described)
    return "\n".join(f"  GET {path:{width}}  {summary}" for path, summary in described)
