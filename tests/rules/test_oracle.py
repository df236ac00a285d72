"""The oracle shares no code with what it checks."""

import ast
from pathlib import Path

import pytest

from tests.rules.files import PACKAGES, ROOT, name_of

MODULES = sorted(
    path for path in (ROOT / "tests" / "oracle").glob("*.py") if not path.name.startswith("test_")
)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_oracle_imports_nothing_of_the_product(path: Path) -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        )
    }
    assert not imported & set(PACKAGES), (
        f"{name_of(path)} imports from {', '.join(sorted(imported & set(PACKAGES)))}: write the rule in plain Python, "
        "or a mistake of the product is also one of the oracle."
    )
