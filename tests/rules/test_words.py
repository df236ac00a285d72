"""Words that were replaced by ones that an engineer guesses do not come back."""

import ast
import re
from pathlib import Path

import pytest

from tests.rules.files import ROOT, name_of, product_files, python_files

# Anywhere in the product, in code or in a comment; each with what it is called now.
RETIRED = {
    "_bury": "move_to_dead_letters",
    "_set_aside": "isolate_failing_key",
    "_trade_queue": "shed_queue",
    "_with_lock_timeout": "retry_on_lock_timeout",
    "dirty_leads": "lead_invalidations",
    "find_needs": "find_rebuild_reasons",
    "give_way": "retry_on_lock_timeout",
    "looked_up": "lookup_by_key",
    "mended_gaps": "gaps_ready_to_close",
    "take_in_stride": "refresh_with_backoff",
    "trade_changes": "shed_queue",
}
# What a database of an older version holds: the installation may name it, to bring it over or to drop it.
RETIRED_IN_DATABASES = {
    "begin_again": "raise_serialization_failure",
    "contact_keys": "source_keys",
    "conversation_keys": "source_keys",
    "cut_time": "clamp_time",
    "lead_day_stats": "lead_daily_counts",
    "lead_span_stats": "lead_totals",
    "lead_stats": "lead_counts",
    "noted_last_message_at": "source_last_message_at",
    "printed_time": "format_time",
    "resync": "reload_messages, or reload_conversations for the kind of a change",
    "send_keys": "source_keys",
}
MAY_NAME_WHAT_IS_OLD = ("schema.sql", "sql/install/", "projector/operate/install.py")
# Modules and packages.
RETIRED_MODULES = {
    "answers": "response/body",
    "beside": "rebuild/in_place",
    "blueprints": "routes",
    "expressions": "sql_helpers",
    "healing": "recovery",
    "listing": "plan/",
    "windows": "time_buckets",
}
# Names of functions, classes, variables and arguments, by the package that had them; as words of a sentence they are
# welcome.
RETIRED_NAMES = {
    "api": {
        "NONE": "ZERO",
        "Printed": "PageRows",
        "Question": "CompiledStatement",
        "Read": "BoundStatement",
        "Shape": "ListPlan",
        "_Cut": "LimitOffset",
        "_Parts": "ListQueryParts",
        "dense": "match_rate_high",
        "everything": "tenant_total",
        "few": "collect_matches",
        "narrowed": "facet_filter_count",
    },
    "projector": {
        "Pause": "InjectionPoint",
        "ROOM": "TRUNCATE_ABOVE_BYTES",
        "Written": "BatchResult",
        "_FEW": "the thing that is bounded, with its unit",
        "_MANY": "the thing that is bounded, with its unit",
        "_PIECES": "the thing that is bounded, with its unit",
        "_ROUNDS": "the thing that is bounded, with its unit",
        "is_held": "freshness_frozen or lock_held",
        "settle": "clean_up_after_crash",
        "together": "pipelined",
    },
}


def texts() -> list[Path]:
    """The files of the product that are text."""
    return [
        path for path in product_files() if path.suffix in {".py", ".sql", ".json", ".yml", ".service", ""}
    ]


def retired_words(name: str, text: str) -> list[str]:
    """Where the text of the file of that name has a retired word, and the word for it."""
    retired = RETIRED if name.startswith(MAY_NAME_WHAT_IS_OLD) else RETIRED | RETIRED_IN_DATABASES
    pattern = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, retired))})(?!\w)")
    return [
        f"{name}:{number}: {word} is called {retired[word]} now"
        for number, line in enumerate(text.splitlines(), 1)
        for word in pattern.findall(line)
    ]


def retired_names(name: str, source: str) -> list[str]:
    """Where the Python file of that name defines a retired name, and the name for it."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append((node.lineno, node.name))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.append((node.lineno, node.id))
        elif isinstance(node, ast.arg):
            found.append((node.lineno, node.arg))
    retired = RETIRED_NAMES[name.split("/", 1)[0]]
    modules = [part for part in Path(name).with_suffix("").parts if part in RETIRED_MODULES]
    return [
        *(f"{name}: the module {part} is called {RETIRED_MODULES[part]} now" for part in modules),
        *(
            f"{name}:{line}: {word} is called {retired[word]} now"
            for line, word in sorted(found)
            if word in retired
        ),
    ]


@pytest.mark.parametrize("path", texts(), ids=name_of)
def test_no_retired_word_is_used(path: Path) -> None:
    found = retired_words(name_of(path), path.read_text("utf-8"))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", python_files(), ids=name_of)
def test_no_retired_name_is_defined(path: Path) -> None:
    found = retired_names(name_of(path), path.read_text("utf-8"))
    assert not found, "\n".join(found)


def test_the_rule_finds_words_and_names() -> None:
    assert retired_words("sql/a.sql", "SELECT resync, resynced FROM t") == [
        "sql/a.sql:1: resync is called reload_messages, or reload_conversations for the kind of a change now"
    ]
    assert retired_words("sql/a.sql", "FROM projector.send_keys") != []
    assert retired_words("sql/install/a.sql", "FROM projector.send_keys") == []
    assert len(retired_names("api/listing.py", "class Shape:\n    few = 1\ndef f(dense): ...\n")) == 4
    assert retired_names("api/a.py", "few_leads = 'few'\n") == []


def test_the_exceptions_exist() -> None:
    gone = [name for name in MAY_NAME_WHAT_IS_OLD if not (ROOT / name).exists()]
    assert not gone, f"{', '.join(gone)}: take it out of MAY_NAME_WHAT_IS_OLD in tests/rules/test_words.py."
