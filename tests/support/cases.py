"""One test over many cases, which fails with all the cases that fail; and cases that repeat another."""

from collections.abc import Callable, Collection, Sequence
from functools import wraps
from inspect import signature
from typing import Any

import pytest

Test = Callable[..., None]


def cases(names: str | Sequence[str], values: Collection[Any]) -> Callable[[Test], Test]:
    """Run a test once for each of these values of these parameters, as one item.

    Use it if no value needs a fixture of its own: `pytest.mark.parametrize` makes an item of each value.
    """
    parameters = (names,) if isinstance(names, str) else tuple(names)

    def decorate(test: Test) -> Test:
        @wraps(test)
        def run(**fixtures: object) -> None:
            failed: list[BaseException] = []
            for value in values:
                case = dict(zip(parameters, (value,) if isinstance(names, str) else value, strict=True))
                try:
                    test(**fixtures, **case)
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # It is raised below.
                    error.add_note(f"The case is {case}")
                    failed.append(error)
            if failed:
                raise BaseExceptionGroup(f"{len(failed)} of {len(values)} cases fail", failed)

        taken = signature(test)
        left = [parameter for name, parameter in taken.parameters.items() if name not in parameters]
        run.__signature__ = taken.replace(parameters=left)  # type: ignore[attr-defined]
        return run

    return decorate


def repeated(*values: Any) -> list[Any]:  # noqa: ANN401  # Whatever a test takes.
    """Return the values of a parameter with which a test repeats what another value shows, for `--all`."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.thorough)
        for value in values
    ]
