"""How `make test` shares out the tests among processes.

Quick tests are assigned by file. Slow tests go one by one to the next free process, unless they share a slow fixture.
The largest parts come first, because a large last one would keep one process busy after the others have ended.
"""

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadFileScheduling

_ROOT = Path(__file__).parents[2]
# Its files share a fixture that takes longer to make than most of their tests.
_WHOLE_FOLDER = "tests/plans"
# Folders of tests with much data, many databases or many connections.
SLOW_FOLDERS = ("acceptance", "benchmarks", "browser", "consistency", "exactness", "plans")
_ONE_BY_ONE = ("benchmarks", "consistency", "exactness")
# What is made once for all tests of a file, or of a session.
_SHARED = ('scope="module"', "lay_model", "lay_random")


class Shares(LoadFileScheduling):  # type: ignore[misc]  # xdist carries no types.
    """Hands out parts of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return part_of(nodeid)


def part_of(nodeid: str) -> str:
    """Return the name of the part to which a test belongs: its folder, its file, or itself."""
    file = nodeid.partition("::")[0]
    if file.startswith(f"{_WHOLE_FOLDER}/"):
        return _WHOLE_FOLDER
    return nodeid if _folder(file) in _ONE_BY_ONE and not _shares_a_fixture(file) else file


def place_of(nodeid: str) -> int:
    """Return the place of a test among all: first the large parts, then slow tests one by one, then quick files."""
    if _folder(nodeid) not in SLOW_FOLDERS:
        return 2
    return 1 if part_of(nodeid) == nodeid else 0


def _folder(nodeid: str) -> str:
    return nodeid.partition("/")[2].partition("/")[0]


@cache
def _shares_a_fixture(file: str) -> bool:
    text = (_ROOT / file).read_text("utf-8")
    return any(word in text for word in _SHARED)
