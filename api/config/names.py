"""The settings that docs/settings.md lists: `--help` prints them, and unknown names are compared with them."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from api.request.text import nearest

_ROOT = Path(__file__).parents[2]
# In the source of the project, and in its wheel.
_PAGES = (_ROOT / "docs" / "settings.md", _ROOT / "projector" / "settings.md")
_SETTING = re.compile(r"^\| `(\w+)` \|(.*?)\| (both|API|projector) \| (.*) \|$", re.MULTILINE)
_GONE = re.compile(r"^\| `(LEADS_\w+)` \| ([^|]*) \|$", re.MULTILINE)
_REFERENCE = re.compile(r" See \[[^]]*\]\([^)]*\)\.")
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")

_OF_TESTS = ("LEADS_TEST_DATABASE_URL",)
_PREFIX = "LEADS_"
# Kubernetes describes a service called `leads` or `leads-api` in variables of these names.
_OF_KUBERNETES = re.compile(
    r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)=.*|\w+_PORT=(tcp|udp|sctp)://.*"
)


@cache
def _page() -> str:
    return next((page.read_text("utf-8") for page in _PAGES if page.is_file()), "")


def _plain(cell: str) -> str:
    return _LINK.sub(r"\1", _REFERENCE.sub("", cell)).replace("`", "").strip()


def all_settings() -> list[tuple[str, str, str, str]]:
    """Return the name, the written default, the programs and the description of each setting of both programs."""
    return [
        (name, _plain(default), of, _plain(text)) for name, default, of, text in _SETTING.findall(_page())
    ]


def settings_that_are_gone() -> dict[str, str]:
    """Return the names of former settings that are refused, each with what to do instead."""
    return {name: _plain(text) for name, text in _GONE.findall(_page())}


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable that begins like a setting but is not one."""
    # Both programs may have one environment.
    names = [name for name, *_ in all_settings()]
    passed = {*names, *settings_that_are_gone(), *_OF_TESTS}
    # Names are compared without the prefix that nearly all share.
    by_rest = {name.removeprefix(_PREFIX): name for name in names}
    sentences = []
    for name, value in sorted(environment.items()):
        rest = name.removeprefix(_PREFIX)
        if not names or rest == name or name in passed or _OF_KUBERNETES.fullmatch(f"{name}={value}"):
            continue
        near = [by_rest[other] for other in nearest(rest, by_rest)]
        hint = (
            f"Did you mean {' or '.join(near)}?"
            if near
            else "`python -m api --help` and docs/settings.md list all settings."
        )
        sentences.append(f"{name} is not a setting, and has no effect. {hint}")
    return sentences
