"""`python -m api --help` and `--version`."""

import re
import tomllib

import orjson
import pytest
from flask.testing import FlaskClient

from api import command_line
from api.config.names import OF_API
from api.response.openapi.document import document
from tests.support.commands import ROOT


def printed(capsys: pytest.CaptureFixture[str], option: str) -> str:
    with pytest.raises(SystemExit) as ended:
        command_line.parse([option])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert printed(capsys, "--version") == f"leads-api {project['version']}\n"


def test_the_help_names_each_endpoint(capsys: pytest.CaptureFixture[str], client: FlaskClient) -> None:
    text = printed(capsys, "--help")
    named = dict(re.findall(r"^  GET (\S+) +(\S.*)$", text, re.MULTILINE))
    described = orjson.loads(document())["paths"]
    for path, operations in described.items():
        assert named.pop(path) == operations["get"]["summary"]
    assert set(named) == {"/docs/", "/"}
    assert [client.get(path).status_code for path in named] == [200, 200]


def test_the_help_says_where_the_documents_are(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "--help")
    pages = re.findall(r"^  (docs/\S+\.md) ", text, re.MULTILINE)
    assert len(pages) == 4
    assert all((ROOT / page).is_file() for page in pages)
    assert max(map(len, text.splitlines())) <= 100


def test_an_option_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--vers", "--port=4000", "serve"):
        with pytest.raises(SystemExit) as ended:
            command_line.parse([option])
        assert ended.value.code == 2
        assert option in capsys.readouterr().err


@pytest.mark.parametrize("name", OF_API)
def test_the_help_has_each_setting_as_its_page_has_it(capsys: pytest.CaptureFixture[str], name: str) -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    row = re.search(rf"^\| `{name}` \|(.*?)\| (?:both|API) \| (.*) \|$", page, re.MULTILINE)
    assert row is not None
    default, description = (
        re.sub(r"\[(.*?)\]\(.*?\)", r"\1", cell).replace("`", "").strip() for cell in row.groups()
    )
    assert OF_API[name].default == default
    # The page may go on to what one has to know only rarely.
    assert description.startswith(OF_API[name].description)
    text = printed(capsys, "--help")
    assert f"\n  {name}={default}\n" in text
    assert OF_API[name].description in " ".join(text.split())


def test_the_help_has_the_settings_of_the_api_and_no_others() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert set(OF_API) == set(re.findall(r"^\| `(\w+)` \|.*?\| (?:both|API) \|", page, re.MULTILINE))
