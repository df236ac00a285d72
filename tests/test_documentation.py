"""What is written for people names what is there: settings, commands, targets, endpoints."""

import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import orjson
import pytest
from prometheus_client import generate_latest

import api.config
import projector.config
from api.response.openapi import document
from projector.cli import cli
from projector.observe.metrics import DATABASE_UP, REGISTRY, metrics_of
from tests.monitoring.test_exposed import page_of_api
from tests.rules.files import ROOT, check, documents, name_of, read

DEPLOY = ROOT / "projector" / "operate" / "deploy"
SETTING = re.compile(r'"(LEADS_[A-Z_]+|DATABASE_URL|HOST|PORT)"')
PAGES = [name_of(path) for path in documents()]
# The program's name is also that of a user, a unit, a container and a deployment.
NAMES = "".join(f"(?<!{word})" for word in ("--uid=", "-u ", "--unit ", "--name ", "deployment/", "deploy/"))
INVOCATION = re.compile(
    rf"(?:python -m projector|{NAMES}leads-projector) (?!leads-)((?:[a-z]|--)[^`\n#|;)>…]*)"
)


OF_API = ("api/config/__init__.py", "api/config/auth.py")
OF_PROJECTOR = ("projector/config.py",)


def settings(files: Iterable[str] = OF_API + OF_PROJECTOR) -> set[str]:
    return {name for file in files for name in SETTING.findall(read(file))}


def commands(group: click.Group = cli, prefix: str = "") -> dict[str, click.Command]:
    by_name: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            by_name |= commands(command, f"{prefix}{name} ")
        elif not command.hidden:
            by_name[f"{prefix}{name}"] = command
    return by_name


def test_the_page_of_settings_and_the_example_have_the_settings() -> None:
    check(settings() - set(settings_of_the_page()), "Add it to docs/settings.md:")
    check(settings() - set(examples()), "Add it to .env.example:")
    check(set(examples()) - settings(), ".env.example has it, and no config.py reads it:")


def table(heading: str) -> dict[str, list[str]]:
    """Return the rows below a heading of docs/settings.md: the first cell without its backquotes, and the others."""
    section = read("docs/settings.md").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `([^`]+)`[^|]*\|(.*)\|$", section, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in rows}


def settings_of_the_page() -> dict[str, list[str]]:
    """The default, the owner and the description of each setting."""
    # The other table is of settings that are gone.
    return {name: cells for name, cells in table("Settings").items() if len(cells) > 1}


def examples() -> dict[str, str]:
    """The settings of the example, with what stands behind them."""
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", read(".env.example"), re.MULTILINE))


def invocations() -> list[tuple[str, str]]:
    """Each call of the projector's command line that a document shows."""
    files = [*(ROOT / page for page in PAGES), *(path for path in DEPLOY.rglob("*") if path.is_file())]
    files += [ROOT / "Containerfile", ROOT / "compose.yaml"]
    return [
        (file.name, invocation.rstrip(" .,"))
        for file in files
        for invocation in INVOCATION.findall(file.read_text(encoding="utf-8").replace(" 2>&1", ""))
    ]


def test_the_page_of_settings_and_the_example_have_the_same_defaults() -> None:
    defaults = {name: cells[0].strip("`") for name, cells in settings_of_the_page().items()}
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


def test_the_page_of_settings_says_whose_each_setting_is() -> None:
    of_api, of_projector = settings(OF_API), settings(OF_PROJECTOR)
    for name, (_, owner, _) in settings_of_the_page().items():
        # The embedded server's start looks at the API's port and address; they are the API's all the same.
        if name in {"HOST", "PORT"} or name not in of_projector:
            assert owner == "API", name
        else:
            assert owner == ("both" if name in of_api else "projector"), name


def test_the_page_of_commands_has_each_command_with_its_exit_codes() -> None:
    assert set(table("Commands")) == set(commands())
    for name, command in commands().items():
        codes = re.findall(r"^\s+(\d)  \w", command.help or "", re.MULTILINE)
        assert table("Commands")[name][1] == ", ".join(codes), name


def test_each_call_of_the_command_line_in_a_document_is_taken() -> None:
    for place, text in sorted(set(invocations())):
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


def test_each_metric_that_a_page_names_is_there() -> None:
    exposed = page_of_api() + generate_latest(REGISTRY).decode()
    there = {*re.findall(r"^# TYPE (\w+) ", exposed, re.MULTILINE), DATABASE_UP}
    state = metrics_of({})
    there |= {f"{metric.name}{'_total' if metric.type == 'counter' else ''}" for metric in state}
    check(
        [
            f"{page}: {metric}"
            for page in PAGES
            for metric in sorted(
                set(re.findall(r"`(leads_(?:api|verify|build|projector)_[a-z_]+)\b", read(page)))
            )
            if re.sub(r"_(bucket|count|sum)$", "", metric) not in there
        ],
        "No program exposes it:",
    )


def test_what_the_page_of_symptoms_quotes_is_what_the_code_says() -> None:
    section = read("docs/troubleshooting.md").split("\n## What to do when\n", 1)[1].split("\n## ", 1)[0]
    code = "".join(
        path.read_text("utf-8") for package in ("api", "projector") for path in (ROOT / package).rglob("*.py")
    )
    check([quoted for quoted in re.findall(r"“([^”]+)”", section) if quoted not in code], "No program says:")


def test_the_pages_name_the_same_pythons() -> None:
    named = [re.findall(r"Python (3\.\d+ \w+ \S+)", read(page)) for page in ("README.md", "docs/start.md")]
    assert all(named)
    assert len({versions.rstrip(",") for page in named for versions in page}) == 1


def test_each_kind_of_sql_is_explained() -> None:
    section = read("CONTRIBUTING.md").split("\nThe kinds of SQL,", 1)[1].split("\n\n**", 1)[0]
    named = set(re.findall(r"^\| `sql/(\w+)` \|", section, re.MULTILINE))
    assert named == {folder.name for folder in (ROOT / "sql").iterdir() if any(folder.rglob("*.sql"))}


def test_each_command_says_what_it_does_an_example_and_its_exit_codes() -> None:
    for name, command in commands().items():
        text = command.help or ""
        assert re.search(r"^\s*Examples?[:,]", text, re.MULTILINE), name
        assert name in text.split("Example", 1)[1], name
        for code in (0, 1, 2):
            assert re.search(rf"^\s+{code}  \w", text, re.MULTILINE), f"{name}: exit code {code}"


def test_targets_are_phony_and_explained_and_no_page_names_another() -> None:
    there = set(re.findall(r"^([a-z-]+):.*## ", read("Makefile"), re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)
    assert phony is not None
    assert there <= set(phony[1].split())
    check(
        [name for name in there if f"| `make {name}` |" not in read("CONTRIBUTING.md")],
        "Not in CONTRIBUTING.md:",
    )
    for page in PAGES:
        in_text = re.findall(r"`(?:[A-Z_]+=\S+ )?make ([a-z-]+)", read(page))
        in_blocks = re.findall(r"^make ([a-z-]+)", read(page), re.MULTILINE)
        check({*in_text, *in_blocks} - there, f"{page} names a target that is not there:")


def test_links_of_a_page_lead_to_a_file_and_a_heading() -> None:
    check([broken for page in PAGES for broken in broken_links(page)], "These links lead nowhere:")


def broken_links(page: str) -> Iterator[str]:
    """Return the links of a page to files and headings that are not there."""
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)", read(page)):
        path, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / path) if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            yield f"{page}: {link}"


def anchors(text: str) -> set[str]:
    """Return the anchors of all headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_changes_are_told_by_release() -> None:
    headings = re.findall(r"^## (.+)$", read("CHANGELOG.md"), re.MULTILINE)
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    released = headings[1:] if headings[0] == "Unreleased" else headings
    assert released[0] == version == orjson.loads(document())["info"]["version"]
    assert [heading for heading in released if not re.fullmatch(r"\d+\.\d+\.\d+", heading)] == []
