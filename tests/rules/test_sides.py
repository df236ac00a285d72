"""A statement of the projector runs on one side: on the platform's database, or on that of the read model."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from projector.database import sql
from tests.rules.files import ROOT, name_of

SQL = ROOT / "sql"
# Definitions and functions of triggers are parts of statements; what they read is counted there.
FOLDERS = ("install", "queries", "rebuild", "refresh", "verify", "capture")
# The files move what version 0.1 left, which knew one server only. The query is one statement instead of two, where one
# server has both sides.
ONE_SERVER = {
    "sql/queries/look.sql look_and_advance",
    "sql/install/before_tables/10_rename_tables.sql",
    "sql/install/after_tables/30_drop_shadow_rebuild.sql",
    "sql/install/after_tables/40_keep_old_names.sql",
}

_COMMENT = re.compile(r"--.*")
_BRINGS = re.compile(r"^-- brings \w+ =(.*(?:\n--  .+)*)\n", re.MULTILINE)
_WITH = re.compile(r"^-- with (\w+) =(.*(?:\n--  .+)*)\n", re.MULTILINE)
_OF_READ_MODEL = re.compile(r"\b(?:read_model|leads_access)\.\w+|'read_model'::")
_OF_PLATFORM = re.compile(r"\bprojector\.(\w+)|(\{source\.\w+\})")
_DEFINITION = re.compile(r"\{definition\.(\w+)\}")
_FUNCTION = re.compile(r"CREATE OR REPLACE FUNCTION projector\.(\w+)")

# The sides of which a statement names no table; on both sides, there are its staging tables only.
OTHER_SIDES = {"platform": ["read_model"], "read_model": ["platform"], "both": ["platform", "read_model"]}

# They compute values alone, so they are on both sides.
FUNCTIONS = frozenset(_FUNCTION.findall((SQL / "definition" / "normalize.sql").read_text("utf-8")))


@dataclass(frozen=True)
class Statement:
    """A statement, or what it brings from the other side, and the side that its header names."""

    name: str
    side: str
    text: str


def with_definitions(text: str) -> str:
    """A text without comments, with those of the definitions that it and these name."""
    text = _COMMENT.sub("", text)
    # {definition.table} is of a table of statistics, which is defined by leads.
    names = [name for name in _DEFINITION.findall(text) if name != "table"]
    return " ".join(
        [text, *(with_definitions((SQL / "definition" / f"{name}.sql").read_text("utf-8")) for name in names)]
    )


def tables_of(text: str, side: str) -> set[str]:
    """What a text names of one side, with what the definitions in it name."""
    text = with_definitions(text)
    if side == "read_model":
        return set(_OF_READ_MODEL.findall(text))
    named = (table or placeholder for table, placeholder in _OF_PLATFORM.findall(text))
    return {name for name in named if name not in FUNCTIONS}


def statements_in(name: str, text: str) -> list[Statement]:
    """The statements of a file, each with its side."""
    pieces = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    parts = zip(pieces[1::2], pieces[2::2], strict=True) if len(pieces) > 1 else [("", text)]
    return [found for part, own in parts for found in _sides(f"{name} {part}".strip(), own)]


def _sides(name: str, text: str) -> Iterator[Statement]:
    header = re.search(r"^-- on: (\w+)$", text, re.MULTILINE)
    side = header[1] if header else "platform"
    brought = [value.replace("\n--", "\n") for value in _BRINGS.findall(text)]
    yield from (Statement(f"{name} brings", "platform", value) for value in brought)
    # What the header says of a placeholder belongs to whatever names it.
    meanings = dict(_WITH.findall(text))
    for part, kind in ((" ".join(brought), "platform"), (_COMMENT.sub("", text), side)):
        used = {key: value for key, value in meanings.items() if _is_used(key, part, meanings)}
        yield Statement(
            name, kind, " ".join([part, *(value.replace("\n--", "\n") for value in used.values())])
        )


def _is_used(key: str, part: str, meanings: dict[str, str]) -> bool:
    if f"{{{key}}}" in with_definitions(part):
        return True
    others = {other: value for other, value in meanings.items() if other != key}
    return any(f"{{{key}}}" in value and _is_used(other, part, others) for other, value in others.items())


def statements() -> list[Statement]:
    files = sorted(file for folder in FOLDERS for file in (SQL / folder).rglob("*.sql"))
    return [found for file in files for found in statements_in(name_of(file), file.read_text("utf-8"))]


@pytest.mark.parametrize(
    "file", sorted(file for folder in FOLDERS for file in (SQL / folder).rglob("*.sql")), ids=name_of
)
def test_a_statement_names_tables_of_its_side_only(file: Path) -> None:
    for one in statements_in(name_of(file), file.read_text("utf-8")):
        if one.side == "one_server":
            assert one.name in ONE_SERVER
            continue
        found = {name for side in OTHER_SIDES[one.side] for name in tables_of(one.text, side)}
        assert not found, (
            f"{one.name} runs on the side of the {one.side} and names {', '.join(sorted(found))}. A statement on the"
            " read model says `-- on: read_model` in its header; rows of the platform's side come by `-- brings`."
        )


def test_a_side_has_one_of_these_names() -> None:
    assert {one.side for one in statements()} == {"platform", "read_model", "both", "one_server"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("-- Reads.\nSELECT FROM read_model.leads;", {"read_model.leads"}),
        ("-- on: read_model\nSELECT FROM projector.changes;", {"changes"}),
        ("-- on: read_model\nSELECT FROM {source.messages};", {"{source.messages}"}),
        ("-- on: read_model\nSELECT ({definition.source_keys});", {"{source.contacts}"}),
        ("-- on: read_model\n-- with keys = projector.source_keys\nSELECT FROM {keys};", {"source_keys"}),
        (
            "-- on: read_model\n-- brings rows = SELECT 1 FROM read_model.leads\nSELECT FROM {rows};",
            {"read_model.leads"},
        ),
        ("-- on: read_model\nSELECT projector.format_time(l.at) FROM read_model.leads AS l;", set()),
        ("-- on: read_model\n-- brings rows = SELECT 1 FROM projector.changes\nSELECT FROM {rows};", set()),
        ("-- Names read_model.leads.\nSELECT FROM projector.changes;", set()),
    ],
)
def test_a_table_of_the_other_side_is_found(text: str, found: set[str]) -> None:
    foreign = set()
    for one in statements_in("x", text):
        foreign |= tables_of(one.text, "platform" if one.side == "read_model" else "read_model")
    assert foreign >= found
    assert bool(foreign) == bool(found)


def test_steps_know_their_side_and_what_they_bring() -> None:
    deletes = sql.step("refresh/6_write_messages/10_delete_messages")
    assert (deletes.is_on_read_model, deletes.brings) == (True, ())
    assert not sql.step("refresh/3_resolve/20_find_old_keys").is_on_read_model
    [(name, rows)] = sql.step("rebuild/first_build/30_build_messages").brings
    assert name == "brought_messages"
    assert "projector.source_keys" in rows
