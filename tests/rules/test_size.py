"""A file of the product is short enough to be read at once."""

from pathlib import Path

import pytest

from tests.rules.files import name_of, python_files

MOST_LINES = 250


@pytest.mark.parametrize("path", python_files(), ids=name_of)
def test_no_python_file_is_too_long(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= MOST_LINES, (
        f"{name_of(path)} has {lines} lines, more than {MOST_LINES}: divide it by subject, or move data to a data file."
    )
