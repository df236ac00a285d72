"""Searches all that the tests log for the customers of their databases: no line of a log may name one.

Each test is searched at its end: what it logged in this process, also where the test read or captured that itself, and
what our programs that it started wrote to standard error, wherever that went: a pipe, a file, or nowhere. It is
searched for phones, names, addresses and texts of the source rows in its databases. A program with
LEADS_LOG_PERSONAL_DATA=on may name them.

A database is read only if the test has logged something, so that other tests cost nothing.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
import pytest
import structlog
from click.testing import CliRunner
from psycopg.rows import scalar_row

from projector.report import log

_SHORTEST = 6
"""Shorter values are found in any text."""

# In their form in the source, and phones in their canonical form too, as the projector knows them.
_VALUES = """
SELECT DISTINCT left(v.value, 60)
FROM (
    (SELECT customer_phone AS value FROM conversations LIMIT 200)
    UNION ALL (SELECT phone FROM contacts LIMIT 200)
    UNION ALL (SELECT customer_phone FROM template_sends LIMIT 200)
    UNION ALL (SELECT translate(customer_phone, '+ ().-', '') FROM conversations LIMIT 200)
    UNION ALL (SELECT translate(phone, '+ ().-', '') FROM contacts LIMIT 200)
    UNION ALL (SELECT unnest(ARRAY[name, email, company, source] || tags) FROM contacts LIMIT 600)
    UNION ALL (
        SELECT unnest(ARRAY[name, email, company, requirements, custom_cta, in_detail_summary, smart_notification])
        FROM extractions LIMIT 600
    )
    UNION ALL (SELECT text FROM messages LIMIT 200)
) AS v
"""
# How structlog begins a line on standard output, unless it was configured otherwise.
_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[", re.MULTILINE)
_PACKAGES = Path(__file__).parents[2]
# Modules whose examples name the demo's customers. They log nothing.
_WITH_EXAMPLES = re.compile(r"/api/(request/(lead|(\w+_)?parameters)|response/openapi/\w+)\.py$")


@cache
def _own_words() -> str:
    """Return the source of the programs: a value that is also a word in it, such as `missed`, proves nothing."""
    files = [
        *_PACKAGES.glob("api/**/*.py"),
        *_PACKAGES.glob("projector/**/*.py"),
        *_PACKAGES.glob("sql/**/*.sql"),
    ]
    return "\n".join(
        file.read_text("utf-8")
        for file in files
        if "demo" not in file.parts and _WITH_EXAMPLES.search(file.as_posix()) is None
    )


class LogWatch:
    """What the present test has logged, and what must not be in it."""

    def __init__(self) -> None:
        self.needles: set[str] = set()
        self._of_test: set[str] = set()
        self._texts: list[str] = []
        self._item: pytest.Item | None = None
        # What programs write to, each with the program and its settings.
        self._files: list[tuple[Any, BinaryIO, Mapping[str, str]]] = []

    def begin(self, item: pytest.Item) -> None:
        self._item, self._texts, self._of_test = item, [], set()

    def add(self, text: str | bytes | None, settings: Mapping[str, str] | None = None) -> None:
        """Search this too, unless the program that wrote it may name customers."""
        if text and (settings or {}).get("LEADS_LOG_PERSONAL_DATA", "off").lower() != "on":
            self._texts.append(text.decode(errors="replace") if isinstance(text, bytes) else text)

    def follow(self, program: Any, path: Path, settings: Mapping[str, str]) -> None:  # noqa: ANN401  # A Popen.
        """Search this file too, at the end of each test until the program has ended."""
        self._files.append((program, path.open("rb"), settings))

    def forbid(self, values: Iterable[str | None], *, lasting: bool = False) -> None:
        """Name values that no line may have: in this test, or in all that come."""
        words = {value for value in values if value and len(value.strip()) >= _SHORTEST}
        (self.needles if lasting else self._of_test).update(words)

    def forbid_rows(self, url: str, *, lasting: bool = False) -> None:
        """Name the values of a database's source rows, if there is anything to search in."""
        if not lasting and not self._logged():
            return
        try:
            with psycopg.connect(url, row_factory=scalar_row) as conn:
                self.forbid(conn.execute(_VALUES.encode()).fetchall(), lasting=lasting)
        except psycopg.Error:
            # It has no source tables, or not all of them, or the test has stopped its server.
            return

    def found(self) -> list[str]:
        """Return the lines that name a customer, each with what is in it."""
        texts = self._logged()
        return [
            f"{needle!r} in: {line}"
            for needle in sorted(self.needles | self._of_test)
            for text in texts
            if needle in text and needle not in _own_words()
            for line in text.splitlines()
            if needle in line and not line.startswith(_OFFER)
        ]

    def _logged(self) -> list[str]:
        for program, file, settings in self._files:
            self.add(file.read(), settings)
            if program.returncode is not None:
                file.close()
        self._files = [pair for pair in self._files if not pair[1].closed]
        sections = getattr(self._item, "_report_sections", ())
        return self._texts + [
            content if key != "stdout" else "\n".join(filter(_LINE.match, content.splitlines()))
            for _, key, content in sections
            if key != "stdout" or _LINE.search(content)
        ]


# `projector local` prints examples that name a lead on purpose; they are not lines of the log.
_OFFER = "  curl 'http://localhost:"

_FOLDER = tempfile.TemporaryDirectory(prefix="leads-logs-")

WATCH = LogWatch()
"""The watch of this process."""


def hide_personal_data() -> None:
    """Make structlog hide what the projector's own configuration hides, if a test has not configured logs."""
    *processors, last = structlog.get_config()["processors"]
    structlog.configure(processors=[*processors, log._hide_personal_data, last])  # noqa: SLF001  # As the program does.


def watch_programs() -> None:
    """Search also what programs write to standard error, wherever that goes."""
    start, communicate = subprocess.Popen.__init__, subprocess.Popen.communicate

    def started(program: Any, arguments: Any, *others: Any, **options: Any) -> None:  # noqa: ANN401  # As Popen takes them.
        program.settings = options.get("env") or os.environ
        # Ours find their packages in this checkout.
        if program.settings.get("PYTHONPATH") != str(_PACKAGES):
            start(program, arguments, *others, **options)
            return
        with _log_of(options) as log_file:
            start(program, arguments, *others, **options)
        if log_file is not None:
            WATCH.follow(program, log_file, program.settings)

    def communicated(program: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  # As Popen gives them.
        out, error = communicate(program, *arguments, **options)
        WATCH.add(error, program.settings)
        return out, error

    subprocess.Popen.__init__ = started  # type: ignore[method-assign, assignment]
    subprocess.Popen.communicate = communicated  # type: ignore[method-assign, assignment]


def watch_captures() -> None:
    """Also search what tests capture themselves, which the sections of their reports lack."""
    read, invoke = pytest.CaptureFixture.readouterr, CliRunner.invoke

    def captured(fixture: Any) -> Any:  # noqa: ANN401  # As pytest gives it.
        value = read(fixture)
        WATCH.add(value.err)
        return value

    def invoked(runner: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  # As click gives it.
        result = invoke(runner, *arguments, **options)
        WATCH.add(result.stderr_bytes, {**os.environ, **(options.get("env") or {})})
        return result

    pytest.CaptureFixture.readouterr = captured  # type: ignore[method-assign, assignment]
    CliRunner.invoke = invoked  # type: ignore[method-assign, assignment]


@contextmanager
def _log_of(options: dict[str, Any]) -> Iterator[Path | None]:
    """Return the file to which a program will write its log; create one if the log would be discarded."""
    stream = "stdout" if options.get("stderr") == subprocess.STDOUT else "stderr"
    place = options.get(stream)
    if place != subprocess.DEVNULL:
        name = getattr(place, "name", None)
        yield Path(name) if isinstance(name, str) else None
        return
    with tempfile.NamedTemporaryFile(dir=_FOLDER.name, delete=False) as file:
        options[stream] = file
        yield Path(file.name)
