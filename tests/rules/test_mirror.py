"""Every module of the product has its tests in the mirrored place, so that a reader finds them without a search."""

import ast
from pathlib import Path

import pytest

from tests.rules.files import ROOT, name_of, python_files

# Modules whose tests are elsewhere, since they need schedules with several connections or belong together.
ELSEWHERE = {
    "projector/apart.py": "tests/exactness/apart/test_two_commits.py",
    "projector/citus/merge.py": "tests/exactness/apart/test_citus.py",
    "projector/citus/session.py": "tests/exactness/apart/test_citus.py",
    "projector/citus/tables.py": "tests/exactness/apart/test_citus.py",
    "projector/citus/tenants.py": "tests/exactness/apart/test_citus.py",
    "projector/install_notices.py": "tests/projector/test_install.py",
    "projector/step_failures.py": "tests/projector/test_pipeline.py",
    "projector/steps.py": "tests/projector/test_sql.py",
    "projector/batch.py": "tests/exactness/test_refresh.py",
    "projector/noted_source.py": "tests/exactness/test_source_schema.py",
    "projector/staging.py": "tests/projector/test_pipeline.py",
    "projector/placeholders.py": "tests/projector/test_sql.py",
    "projector/cli/places.py": "tests/exactness/apart/test_messages.py",
    "projector/errors.py": "tests/projector/cli/test_base.py",
    "projector/freshness.py": "tests/exactness/test_freshness.py",
    "projector/look.py": "tests/exactness/test_freshness.py",
    "projector/refresh.py": "tests/exactness/test_refresh.py",
    "projector/republish.py": "tests/exactness/apart/test_two_commits.py",
    "projector/report.py": "tests/projector/cli/test_run.py",
    "projector/search_index.py": "tests/projector/test_install.py",
    "projector/scheduler/conditions.py": "tests/projector/scheduler/test_jobs.py",
    "projector/source.py": "tests/rules/test_fields.py",
    "projector/status/server_words.py": "tests/exactness/apart/test_messages.py",
    "projector/status/servers.py": "tests/exactness/apart/test_messages.py",
    "projector/verify/__init__.py": "tests/exactness/test_sabotage.py",
    "projector/verify/compare.py": "tests/exactness/test_sabotage.py",
    "projector/verify/drift.py": "tests/exactness/test_sabotage.py",
    # Together they make the demo's rows.
    **{
        f"projector/demo/{name}.py": "tests/projector/demo/test_tenants.py"
        for name in (
            "chance", "chats", "clock", "extractions", "identifiers", "people", "script", "setting", "source_rows",
            "texts/__init__", "words",
        )
    },
}  # fmt: skip


def modules() -> list[Path]:
    """The modules with functions: one that only names things, as errors.py does, needs no test."""
    return [path for path in python_files() if _has_code(path)]


def _has_code(path: Path) -> bool:
    tree = ast.parse(path.read_text("utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree))


def mirrored(path: Path) -> Path:
    """Where the tests of a module are; those of a package's own code are named after the package."""
    folder = path.relative_to(ROOT).parent
    name = folder.name if path.stem == "__init__" else path.stem.strip("_")
    return ROOT / "tests" / folder / f"test_{name}.py"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_each_module_has_its_tests(path: Path) -> None:
    name = name_of(path)
    wanted = mirrored(path)
    if name in ELSEWHERE:
        assert not wanted.exists(), (
            f"{name} has its tests in {name_of(wanted)} now: take it out of ELSEWHERE in tests/rules/test_mirror.py."
        )
        wanted = ROOT / ELSEWHERE[name]
    assert wanted.is_file(), f"{name} has no tests: write {name_of(wanted)}."


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_no_module_is_named_that_is_gone(name: str) -> None:
    assert (ROOT / name).is_file(), f"{name} is gone: take it out of ELSEWHERE in tests/rules/test_mirror.py."
