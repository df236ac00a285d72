"""Which version a program says that it is."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from api.observe import version


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    version.installed_version.cache_clear()
    yield
    version.installed_version.cache_clear()


def test_the_version_of_a_package_is_that_which_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nothing(_name: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(version, "__file__", str(tmp_path / "site-packages" / "api" / "version.py"))
    monkeypatch.setattr(version, "version", lambda name: f"9 of {name}")
    assert version.installed_version() == "9 of leads-read-model"
    # The folder of another project.
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "pyproject.toml").write_text('[project]\nname = "other"\nversion = "1"\n')
    monkeypatch.setattr(version, "version", nothing)
    version.installed_version.cache_clear()
    assert version.installed_version() == "unknown"
