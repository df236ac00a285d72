"""A kind of source row is a row of sql/definition/kinds.sql, and nothing lists kinds again.

A red test names the next file of the recipe in CONTRIBUTING.md.
"""

import re
from itertools import product

from projector.capture.texts import default_mapping
from projector.database.kinds import Kind, key_kinds, kinds
from projector.database.sql import required_columns, source_columns
from projector.operate import explain
from tests.rules.files import ROOT, check, name_of, read, sql_files

KINDS = "sql/definition/kinds.sql"
ROWS = "sql/definition/source_rows.sql"

FIRST_TABLES = {
    *("users", "phone_numbers", "agents", "conversations", "messages"),
    *("extractions", "contacts", "templates", "template_sends"),
}
"""The tables that the first platform has."""

OF_ONE_KIND = {
    "sql/refresh/3_resolve/50_note_keys.sql",  # Conversations were read before the keys of all others.
    "sql/queries/tenants.sql, find_waiting_names",  # Names depend on tenants alone.
}
"""Statements that treat one kind otherwise than all others."""

MOST_NAMED = 2
"""A statement may need one kind, and the kind of its keys. One that names more of them lists kinds."""


def test_each_relation_of_a_mapping_is_a_kind() -> None:
    files = {path.stem for path in (ROOT / "sql" / "mapping").glob("*.sql")} - {"changes", "optional"}
    # As what the keys of other kinds are queued, or set aside.
    others = {
        name
        for kind in kinds().values()
        for name in (kind.queued_kind, kind.dead_letter_kind)
        if name != kind.kind
    }
    check(
        [
            *(
                f"{name}.sql is a relation: give it a row in {KINDS}."
                for name in sorted(files - kinds().keys())
            ),
            *(
                f"{KINDS} has {name}: write sql/mapping/{name}.sql."
                for name in kinds()
                if name not in files | others
            ),
        ],
        "A relation and its kind have one name:",
    )


def test_each_kind_has_its_columns() -> None:
    check(
        [
            f"{KINDS} has {name}, whose keys are {kind.id}: give it rows with `t.{column}` in {ROWS}, below a line"
            f" `-- required:` that begins with the key of the relation."
            for name, kind in kinds().items()
            if (ROOT / "sql" / "mapping" / f"{name}.sql").exists()
            for column in (kind.id, kind.phone, *(["user_id"] if kind.phone else []))
            if column is not None
            and not {column} <= {*source_columns().get(name, ())} & {*required_columns().get(name, ())}
        ],
        "What a row is found by, and whose it is:",
    )


def test_a_change_of_each_kind_is_captured() -> None:
    rules = read("sql/mapping/changes.sql")
    touched = set(re.findall(r" AS (\w+)(?:,|\s+FROM)", rules))
    check(
        [
            f'sql/mapping/changes.sql touches no {name}: add `SELECT r.{kind.id} AS "TABLE.{kind.id}", r.{kind.id}'
            f" AS {name} FROM TABLE AS r;`."
            for name, kind in kinds().items()
            if name in default_mapping().relations() and name not in touched
        ],
        "Else nothing tells the projector of a changed row:",
    )


def test_a_platform_may_lack_what_came_later() -> None:
    optional = read("sql/mapping/optional.sql")
    check(
        [
            f"('{table}', '', 'no … is known')"
            for table in default_mapping().tables()
            if table not in FIRST_TABLES
            and not re.search(rf"^    ?'{table}',|\('{table}',", optional, re.MULTILINE)
        ],
        "`migrate` refuses a platform without one of these tables; give each a line in sql/mapping/optional.sql:",
    )


def test_operators_find_each_relation() -> None:
    page = read("docs/your-database.md")
    check(
        [
            f"`{name}.sql`"
            for name in kinds()
            if name in default_mapping().relations() and f"`{name}.sql`" not in page
        ],
        "docs/your-database.md lists the files of a mapping. It lacks:",
    )


def test_explain_shows_the_rows_of_each_kind_of_a_lead() -> None:
    check(
        [
            f'"{name}": ("HEADING, in the order of the rule", QUERY)'
            for name, kind in kinds().items()
            if kind.key_kind in key_kinds()
            and name in default_mapping().relations()
            and name not in explain.COMPETING
        ],
        "Let COMPETING of projector/operate/explain.py show such rows:",
    )


def test_the_oracle_knows_each_kind_of_key() -> None:
    keys = re.search(r"^def _keys\(.*?^    return ", read("tests/oracle/leads.py"), re.DOTALL | re.MULTILINE)
    assert keys is not None
    check(
        [
            f'("{name}", row.{kind.id}, …)'
            for name, kind in key_kinds().items()
            if f'("{name}", ' not in keys[0]
        ],
        "Let _keys of tests/oracle/leads.py say whose lead such a row belongs to:",
    )


def test_what_late_keys_add_up_to_is_one_kind() -> None:
    """sql/refresh/1_take/60_defer_changes.sql gives a key one kind, whatever changed of it."""
    check(
        [
            f"{KINDS} has {len(same)} kinds of keys of a {key_kind} with profile {profile} and messages"
            f" {'all' if reads_all else 'NULL'}: it needs one."
            for key_kind in key_kinds()
            for profile, reads_all in sorted(
                _sums([kind for kind in kinds().values() if kind.key_kind == key_kind])
            )
            if len(same := _of(key_kind, is_profile=profile, reads_all=reads_all)) != 1
        ],
        "A late key has the kind that reads again what its changes need together:",
    )


def test_nothing_lists_kinds_again() -> None:
    words = {*kinds(), *key_kinds()}
    texts = {
        f"{name_of(path)}, {name}" if name else name_of(path): text
        for path in sql_files()
        if name_of(path) != KINDS and "mapping" not in path.parts
        for name, text in _queries(re.sub(r"--(?! name:).*", "", path.read_text("utf-8")))
    }
    check(
        [
            f"{name}: {', '.join(sorted(named))}"
            for name, text in texts.items()
            if len(named := words & {*re.findall(r"'(\w+)'", text)}) > MOST_NAMED
            or (
                name not in OF_ONE_KIND
                and re.search(rf"\bkind (?:<>|NOT IN|IN) \(?'(?:{'|'.join(words)})'", text)
            )
            or re.search(r"kind \|\| 's'", text)
        ],
        "Join projector.change_kinds, or write {kinds.of_keys} or {kinds.of_lead_makers}, in place of these:",
    )


def _sums(changes: list[Kind]) -> set[tuple[bool, bool]]:
    """Return what changes of one key can add up to: the profile, and all messages, as named ones may become."""
    profiles = {kind.profile for kind in changes}
    messages = {
        reads
        for kind in changes
        for reads in {None: [False], "all": [True]}.get(kind.messages, [False, True])
    }
    return set(product(profiles, messages))


def _of(key_kind: str, *, is_profile: bool, reads_all: bool) -> list[Kind]:
    wanted = (key_kind, is_profile, "all" if reads_all else None)
    return [kind for kind in kinds().values() if (kind.key_kind, kind.profile, kind.messages) == wanted]


def _queries(text: str) -> list[tuple[str, str]]:
    first, *others = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return [("", first), *zip(others[::2], others[1::2], strict=True)]
