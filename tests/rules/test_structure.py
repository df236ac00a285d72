"""The form of the tree: small folders, short functions, and public names of other packages."""

import ast
import importlib
import inspect

from tests.rules.files import PACKAGES, ROOT, check, name_of, python_files

MOST_ENTRIES = 12
MOST_LINES = 60
# Folders with more entries, each with the most that it has and its reason.
LARGE_FOLDERS = {
    "api/page/static": 31,  # The modules that a browser loads as they are.
}
# What the documentation of a package tells a subclass to define, in spite of the name.
DOCUMENTED = {"marshmallow.fields.Field._deserialize"}


def test_a_folder_has_a_dozen_entries() -> None:
    roots = [ROOT / name for name in (*PACKAGES, "sql")]
    folders = [*roots, *(path for root in roots for path in sorted(root.rglob("*")) if path.is_dir())]
    sizes = {
        name_of(folder): len([entry for entry in folder.iterdir() if not entry.name.startswith("__")])
        for folder in folders
    }
    check(
        [
            f"{name}: {size}"
            for name, size in sizes.items()
            if size > LARGE_FOLDERS.get(name, MOST_ENTRIES) and not name.endswith("__pycache__")
        ],
        f"More than {MOST_ENTRIES} entries; make a folder of those with one subject:",
    )


def test_a_function_is_short() -> None:
    check(
        [
            f"{name_of(path)}:{node.lineno} {node.name}: {length}"
            for path in python_files()
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (length := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES
        ],
        f"More than {MOST_LINES} lines; make a function of a part that has a name:",
    )


def replaced(kind: type) -> list[str]:
    """Return the private functions of a base class of another package that this class has its own versions of."""
    foreign = [base for base in kind.__mro__[1:] if base.__module__.partition(".")[0] not in PACKAGES]
    own = [
        name
        for name, value in vars(kind).items()
        if inspect.isfunction(value) and name.startswith("_") and not name.endswith("_")
    ]
    return sorted(
        f"{base.__module__}.{base.__qualname__}.{name}"
        for base in foreign
        for name in own
        if inspect.isfunction(vars(base).get(name))
    )


def test_no_private_function_of_another_package_is_replaced() -> None:
    replacements = []
    for path in python_files():
        if path.name != "__main__.py":
            parts = path.relative_to(ROOT).with_suffix("").parts
            module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
            classes = [
                kind
                for kind in vars(module).values()
                if inspect.isclass(kind) and kind.__module__ == module.__name__
            ]
            replacements += [(name, name_of(path)) for kind in classes for name in replaced(kind)]
    assert {name for name, _ in replacements} >= DOCUMENTED
    check(
        [f"{file}: {name}" for name, file in replacements if name not in DOCUMENTED],
        "Use what the package publishes, a private name can change without a word:",
    )
