"""Our classes build on the public names of other packages: a private one can change without a word."""

import importlib
import inspect
from pathlib import Path

import pytest

from tests.rules.files import PACKAGES, ROOT, name_of, python_files

# What the documentation of a package tells a subclass to define, in spite of the name.
DOCUMENTED = {"marshmallow.fields.Field._deserialize"}


def replaced(kind: type) -> list[str]:
    """The private functions of a base class of another package that this class has its own versions of."""
    foreign = [base for base in kind.__mro__[1:] if base.__module__.partition(".")[0] not in PACKAGES]
    own = [name for name, value in vars(kind).items() if inspect.isfunction(value) and _is_private(name)]
    return sorted(
        f"{base.__module__}.{base.__qualname__}.{name}"
        for base in foreign
        for name in own
        if inspect.isfunction(vars(base).get(name))
    )


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@pytest.mark.parametrize("path", [path for path in python_files() if path.name != "__main__.py"], ids=name_of)
def test_no_private_function_of_another_package_is_replaced(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
    classes = [kind for kind in vars(module).values() if inspect.isclass(kind)]
    names = {name for kind in classes if kind.__module__ == module.__name__ for name in replaced(kind)}
    assert not names - DOCUMENTED, (
        f"{name_of(path)} replaces {', '.join(names)}: use what the package publishes."
    )


def test_a_private_function_that_is_replaced_is_seen() -> None:
    class Base:
        def _own(self) -> None: ...

    Base.__module__ = "elsewhere"

    class Derived(Base):
        def _own(self) -> None: ...

    assert replaced(Derived) == [f"elsewhere.{Base.__qualname__}._own"]
