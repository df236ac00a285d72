"""`python -m tests.consistency.planted PROGRAM …` is the product with the bug in it that CONSISTENCY_BUG names.

Each breaks a promise, and the checker has to find it in a history that was recorded with it.
"""

import os
import pkgutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from time import monotonic
from typing import Any

NAME = "CONSISTENCY_BUG"

Function = Callable[..., Any]
Changes = dict[str, Callable[[Function], Function] | tuple[str, str]]
"""The path of a function, and what makes another one of it; or a file below sql/, and a text with what replaces it."""


def _compare_roughly(_is_fresh: Function) -> Function:
    return lambda as_of, min_as_of: as_of >= min_as_of - timedelta(seconds=2)


def _print_the_clock(headers: Function) -> Function:
    return lambda row: {**headers(row), "X-Data-As-Of": datetime.now(UTC).isoformat()}


def _forget_the_version(tag: Function) -> Function:
    return lambda environ, _version, moving=b"": tag(environ, b"", moving)


def _forget_the_phone(position: Function) -> Function:
    return lambda document, sort_by: [position(document, sort_by)[0], ""]


def _stand_for_ever(_stands: Function) -> Function:
    return lambda *_: True


def _keep_for_a_second(fetch: Function) -> Function:
    kept: dict[str, tuple[float, Any]] = {}

    def found(self: object, bound: Any) -> Any:  # noqa: ANN401  # As the function has it.
        key = f"{id(bound.statement)} {bound.values}"
        if key not in kept or kept[key][0] < monotonic() - 1:
            kept[key] = (monotonic(), fetch(self, bound))
        return kept[key][1]

    return found


ROUGHLY: Changes = {
    "api.limits.waiting.is_fresh": _compare_roughly,
    "api.routes.read_model.is_fresh": _compare_roughly,
    "api.routes.memory.is_fresh": _compare_roughly,
}
BUGS: dict[str, tuple[str, Changes]] = {
    "as-of is the clock of the answer": ("as-of", {"api.response.body.freshness_headers": _print_the_clock}),
    "a tag stands for no version": ("as-of", {"api.response.conditional.tag_of": _forget_the_version}),
    "an answer from memory stands for ever": ("as-of", {"api.routes.memory.Memory._stands": _stand_for_ever}),
    "a taken change is lost now and then": (
        "as-of",
        {"refresh/1_take/80_collect_stale_keys": ("d.key IS NULL", "d.key IS NULL AND random() < 0.9")},
    ),
    "min_as_of is compared roughly": ("min_as_of", ROUGHLY),
    "an answer from memory serves a session": (
        "session",
        {**ROUGHLY, "api.database.pool.Database.fetch": _keep_for_a_second},
    ),
    "a lead that goes leaves no tombstone": (
        "feed",
        {"refresh/8_write_leads/30_note_deleted_leads": ("d.is_gone", "false")},
    ),
    "a cursor forgets the phone": ("pages", {"api.routes.leads.position_of_lead": _forget_the_phone}),
    "a change of status moves no count": (
        "statistics",
        {"refresh/8_write_leads/70_add_to_statistics": ("WHERE ROW", "WHERE d.leads <> 0 AND ROW")},
    ),
}
"""Each with the promise that it breaks."""


def plant(package: str) -> None:
    """Put the bug into this process, which runs that package."""
    for path, change in BUGS[os.environ[NAME]][1].items():
        if callable(change) and package == "api":
            place, _, name = path.rpartition(".")
            owner = pkgutil.resolve_name(place)
            setattr(owner, name, change(getattr(owner, name)))
        elif not callable(change) and package == "projector":
            # The tests' mutants do so too.
            sql = import_module("projector.database.sql")
            file, read, (old, new) = sql.ROOT / "sql" / f"{path}.sql", sql._read, change  # noqa: SLF001
            assert old in read(file)
            setattr(sql, "_read", lambda asked: read(asked).replace(old, new, 1 if asked == file else 0))  # noqa: B010, B023


def application() -> object:
    """Return the application of a worker of the API."""
    plant("api")
    return import_module("api.__main__").application()


def main(package: str, *arguments: str) -> None:
    sys.argv = [package, *arguments]
    program: Any = import_module("api.__main__" if package == "api" else "projector.cli")
    if package == "api":
        server = program.Granian
        program.Granian = lambda _, **options: server("tests.consistency.planted:application", **options)
    else:
        plant(package)
    program.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
