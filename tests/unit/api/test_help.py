"""`python -m api --help` and `--version`."""

import re
import tomllib

import orjson
import pytest
from flask.testing import FlaskClient

from api.__main__ import cli
from api.config.names import all_settings
from api.response.openapi import document
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
