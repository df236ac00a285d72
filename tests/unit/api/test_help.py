"""`python -m api --help` and `--version`."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import orjson
import pytest
from flask.testing import FlaskClient

from api.__main__ import cli
from api.config.names import all_settings
from api.observe import version
from api.response.openapi.document import document
from tests.support.commands import ROOT


def printed(capsys: pytest.CaptureFixture[str], option: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main([option])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert printed(capsys, "--version") == f"leads-api {project['version']}\n"


def test_the_help_names_endpoints_documents_and_settings(
    capsys: pytest.CaptureFixture[str], client: FlaskClient
) -> None:
    text = printed(capsys, "--help")
    assert max(map(len, text.splitlines())) <= 100
    named = dict(re.findall(r"^  (?:GET |POST) (\S+) +(\S.*)$", text, re.MULTILINE))
    for path, operations in orjson.loads(document())["paths"].items():
        assert [named.pop(path)] == [one["summary"] for one in operations.values()]
    assert set(named) == {"/docs/", "/"}
    assert [client.get(path).status_code for path in named] == [200, 200]
    pages = re.findall(r"^  (docs/\S+\.md) ", text, re.MULTILINE)
    assert len(pages) == 5
    assert all((ROOT / page).is_file() for page in pages)
    expected = [(name, one.default) for name, one in all_settings().items() if one.of in ("API", "both")]
    assert re.findall(r"^  ([A-Z_]+)=(.*)$", text, re.MULTILINE) == expected
    assert "DATABASE_URL" in dict(expected)
    assert all_settings()["LEADS_AUTH"].description in " ".join(text.split())


def test_an_option_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--vers", "--port=4000", "serve"):
        with pytest.raises(SystemExit) as ended:
            cli.main([option])
        assert ended.value.code == 2
        assert option.partition("=")[0] in capsys.readouterr().err


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
