"""The names of all settings, and what an operator may have meant by a name that is none of them."""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent
# In the source of the project, and where its wheel has it.
_PAGES = (_PACKAGE.parent / "docs" / "settings.md", _PACKAGE / "settings.md")
_SETTING = re.compile(r"^\| `(\w+)` \|.*\| (?:both|API|projector) \|", re.MULTILINE)
_GONE = re.compile(r"^\| `(LEADS_\w+)` \| ([^|]*) \|$", re.MULTILINE)
_PREFIX = "LEADS_"

# Of the tests.
_OTHERS = ("LEADS_TEST_",)

# So much of two names, without what all begin with, has to agree.
_LIKENESS = 0.7


@cache
def _page() -> str:
    return next((page.read_text("utf-8") for page in _PAGES if page.is_file()), "")


def settings_that_are_gone() -> dict[str, str]:
    """Return the names of former settings that are refused, each with what to do instead."""
    return {name: text.replace("`", "") for name, text in _GONE.findall(_page())}


def find_misspelt(names: Iterable[str]) -> Iterator[str]:
    """Return a sentence for each name that begins as a setting does and is none, with the nearest one.

    Both programs read one file `.env`, so that a setting of the API is not misspelt here.
    """
    known = {name.removeprefix(_PREFIX): name for name in _SETTING.findall(_page())}
    passed = {*known.values(), *settings_that_are_gone()}
    for name in sorted(names):
        if not known or name in passed or not name.startswith(_PREFIX) or name.startswith(_OTHERS):
            continue
        near = get_close_matches(name.removeprefix(_PREFIX), known, n=1, cutoff=_LIKENESS)
        if near:
            yield f"{name} is no setting and has no effect; the nearest is {known[near[0]]}."
        else:
            yield f"{name} is no setting and has no effect: see docs/settings.md."
