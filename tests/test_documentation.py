"""What is written for people names what is there: settings, commands, targets, endpoints."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import click
import orjson
import pytest
import yaml
from prometheus_client import generate_latest

import api.config
import projector.config
from api.response.openapi.document import document
from projector.cli import cli
from projector.observe.metrics.counted import REGISTRY
from projector.observe.metrics.families import FAMILIES
from projector.observe.metrics.state import DATABASE_UP
from tests.monitoring.exposed import page_of_api

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "projector" / "operate" / "deploy"
SETTING = re.compile(r'"(LEADS_[A-Z_]+|DATABASE_URL|HOST|PORT)"')
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))
# The program's name is also that of a user, a unit, a container and a deployment.
NAMES = "".join(f"(?<!{word})" for word in ("--uid=", "-u ", "--unit ", "--name ", "deployment/", "deploy/"))
INVOCATION = re.compile(
    rf"(?:python -m projector|{NAMES}leads-projector) (?!leads-)((?:[a-z]|--)[^`\n#|;)>…]*)"
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


READERS_OF_SETTINGS = {"api": "api/config/__init__.py", "projector": "projector/config.py"}


def settings() -> set[str]:
    return {name for file in READERS_OF_SETTINGS.values() for name in SETTING.findall(read(file))}


def commands(group: click.Group = cli, prefix: str = "") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{prefix}{name} ")
        elif not command.hidden:
            found[f"{prefix}{name}"] = command
    return found


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", read("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("name", sorted(settings()))
def test_each_setting_is_in_its_page_and_the_example(name: str) -> None:
    assert f"`{name}`" in read("docs/settings.md")
    assert re.search(rf"^#?{name}=", read(".env.example"), re.MULTILINE)


def test_the_example_names_no_other_setting() -> None:
    assert set(re.findall(r"^#?([A-Z_]+)=", read(".env.example"), re.MULTILINE)) == settings()


def table(page: str) -> dict[str, list[str]]:
    """Return the rows of the table of a page: the first cell without its backquotes, and the others."""
    rows = re.findall(r"^\| `([^`]+)`[^|]*\|(.*)\|$", read(page), re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in rows}


def examples() -> dict[str, str]:
    """The settings of the example, with what stands behind them."""
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", read(".env.example"), re.MULTILINE))


def invocations() -> list[tuple[str, str]]:
    """Each call of the projector's command line that a document shows."""
    files = [*(ROOT / page for page in PAGES), *(path for path in DEPLOY.rglob("*") if path.is_file())]
    files += [ROOT / "Containerfile", ROOT / "compose.yaml"]
    return [
        (file.name, found.rstrip(" .,"))
        for file in files
        for found in INVOCATION.findall(file.read_text(encoding="utf-8").replace(" 2>&1", ""))
    ]


def test_the_page_of_settings_and_the_example_have_the_same_defaults() -> None:
    defaults = {name: cells[0].strip("`") for name, cells in table("docs/settings.md").items()}
    expected = {name: "" if name == "DATABASE_URL" else value for name, value in examples().items()}
    assert defaults == expected


def test_the_defaults_of_the_example_are_those_of_the_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nothing = tmp_path / ".env"
    # A run of the tests on another PostgreSQL sets it.
    monkeypatch.delenv("LEADS_PG_BIN", raising=False)
    monkeypatch.setenv("DATABASE_URL", examples()["DATABASE_URL"])
    by_itself = projector.config.load(nothing), api.config.load(nothing)
    for name, value in examples().items():
        monkeypatch.setenv(name, value)
    assert (projector.config.load(nothing), api.config.load(nothing)) == by_itself


@pytest.mark.parametrize(("name", "cells"), sorted(table("docs/settings.md").items()))
def test_the_page_of_settings_says_whose_each_setting_is(name: str, cells: list[str]) -> None:
    # The embedded server's start looks at the API's port and address; they are the API's all the same.
    api_alone = {"HOST", "PORT"}
    readers = {
        package for package, file in READERS_OF_SETTINGS.items() if name in SETTING.findall(read(file))
    } - ({"projector"} if name in api_alone else set())
    assert cells[1] == {"api": "API", "projector": "projector"}.get("".join(readers), "both")


@pytest.mark.parametrize(("name", "command"), sorted(commands().items()))
def test_the_page_of_commands_has_each_command_with_its_exit_codes(name: str, command: click.Command) -> None:
    codes = re.findall(r"^\s+(\d)  \w", command.help or "", re.MULTILINE)
    assert table("docs/commands.md")[name][1] == ", ".join(codes)


def test_the_page_of_commands_has_no_other_command() -> None:
    assert set(table("docs/commands.md")) == set(commands())


@pytest.mark.parametrize(("place", "text"), sorted(set(invocations())))
def test_each_call_of_the_command_line_in_a_document_is_taken(place: str, text: str) -> None:
    words = shlex.split(text)
    command: click.Command = cli
    while isinstance(command, click.Group):
        assert words[0] in command.commands, f"{place}: {text}"
        command = command.commands[words.pop(0)]
    command.make_context(text, words)


def test_each_header_of_the_api_is_in_its_page() -> None:
    headers = orjson.loads(document(asks_who_calls=True))["components"]["headers"]
    assert set(headers) == set(
        re.findall(
            r"^\| `((?:X-|Content-Disp|Retry-|WWW-|ETag|Link|RateLimit)[A-Za-z-]*)` \|",
            read("docs/api.md"),
            re.MULTILINE,
        )
    )


def metrics() -> list[tuple[str, str]]:
    """Return each metric that an operator reads of, with the page that names it."""
    return sorted(
        {
            (name, metric)
            for name in PAGES
            for metric in re.findall(r"`(leads_(?:api|verify|build|projector)_[a-z_]+)\b", read(name))
        }
    )


@pytest.mark.parametrize(("name", "metric"), metrics())
def test_each_metric_that_is_named_is_there(name: str, metric: str) -> None:
    exposed = page_of_api() + "".join(
        f"# TYPE {family.name}{'_total' if family.is_counter else ''} " for family in FAMILIES
    )
    exposed += generate_latest(REGISTRY).decode()
    base = re.sub(r"_(bucket|count|sum)$", "", metric)
    assert base == DATABASE_UP or f"# TYPE {base} " in exposed, f"{name} names {metric}"


def alert_rules() -> list[dict[str, Any]]:
    """Return the alert rules for operators."""
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: rule["alert"])
def test_each_alert_rule_is_complete(rule: dict[str, Any]) -> None:
    assert {"alert", "expr", "labels", "annotations"} <= set(rule)
    assert set(rule["annotations"]) == {"summary", "action"}


@pytest.mark.parametrize("unit", sorted(DEPLOY.glob("*.service")), ids=lambda unit: unit.name)
def test_each_unit_starts_a_program_that_is_installed(unit: Path) -> None:
    scripts = tomllib.loads(read("pyproject.toml"))["project"]["scripts"]
    started = re.search(r"^ExecStart=(\S+)", unit.read_text(encoding="utf-8"), re.MULTILINE)
    assert started is not None
    assert Path(started[1]).name in scripts


def quotations() -> list[str]:
    """Return what the table of symptoms quotes."""
    section = read("docs/capture-gaps.md").split("\n## What to do when\n", 1)[1].split("\n## ", 1)[0]
    return sorted(set(re.findall(r"“([^”]+)”", section)))


@pytest.mark.parametrize("sentence", quotations())
def test_what_the_page_of_symptoms_quotes_is_what_the_code_says(sentence: str) -> None:
    assert any(
        sentence in file.read_text(encoding="utf-8")
        for package in ("api", "projector")
        for file in (ROOT / package).rglob("*.py")
    )


def test_each_kind_of_sql_is_explained() -> None:
    section = read("CONTRIBUTING.md").split("\nThe kinds of SQL,", 1)[1].split("\n\n**", 1)[0]
    named = set(re.findall(r"^\| `sql/(\w+)` \|", section, re.MULTILINE))
    assert named == {folder.name for folder in (ROOT / "sql").iterdir() if any(folder.rglob("*.sql"))}


@pytest.mark.parametrize(("name", "command"), sorted(commands().items()))
def test_each_command_says_what_it_does_an_example_and_its_exit_codes(
    name: str, command: click.Command
) -> None:
    text = command.help or ""
    assert re.search(r"^\s*Examples?[:,]", text, re.MULTILINE)
    assert name in text.split("Example", 1)[1]
    for code in (0, 1, 2):
        assert re.search(rf"^\s+{code}  \w", text, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(targets()))
def test_each_target_is_phony_and_explained(name: str) -> None:
    phony = re.search(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)
    assert phony is not None
    assert name in phony[1].split()
    assert f"| `make {name}` |" in read("CONTRIBUTING.md")


@pytest.mark.parametrize("page", PAGES)
def test_no_page_names_a_target_that_is_not_there(page: str) -> None:
    in_text = re.findall(r"`(?:[A-Z_]+=\S+ )?make ([a-z-]+)", read(page))
    in_blocks = re.findall(r"^make ([a-z-]+)", read(page), re.MULTILINE)
    assert {*in_text, *in_blocks} <= targets()


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_to_a_file_and_a_heading(page: str) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)", read(page)):
        path, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / path) if path else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def anchors(text: str) -> set[str]:
    """Return the anchors of all headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_changes_are_told_by_release() -> None:
    headings = re.findall(r"^## (.+)$", read("CHANGELOG.md"), re.MULTILINE)
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    released = headings[1:] if headings[0] == "Unreleased" else headings
    assert released[0] == version
    assert [heading for heading in released if not re.fullmatch(r"\d+\.\d+\.\d+", heading)] == []
