"""What is written for people names what is there: settings, commands, targets, endpoints."""

import re
from pathlib import Path

import click
import pytest

from projector.__main__ import cli

ROOT = Path(__file__).parents[1]
SETTING = re.compile(r'"(LEADS_[A-Z_]+|DATABASE_URL|HOST|PORT)"')


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def settings() -> set[str]:
    return {
        name for package in ("api", "projector") for name in SETTING.findall(read(f"{package}/config.py"))
    }


def commands(group: click.Group = cli, prefix: str = "") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{prefix}{name} ")
        elif not command.hidden:
            found[f"{prefix}{name}"] = command
    return found


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", read("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("name", sorted(settings()))
def test_each_setting_is_in_the_readme_and_the_example(name: str) -> None:
    assert f"`{name}`" in read("README.md")
    assert re.search(rf"^#?{name}=", read(".env.example"), re.MULTILINE)


def test_the_example_names_no_other_setting() -> None:
    assert set(re.findall(r"^#?([A-Z_]+)=", read(".env.example"), re.MULTILINE)) == settings()


@pytest.mark.parametrize("name", sorted(commands()))
def test_each_command_is_in_the_readme(name: str) -> None:
    assert re.search(rf"\b{name}\b", read("README.md"))


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
def test_each_target_is_phony_and_in_the_readme(name: str) -> None:
    phony = re.search(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)
    assert phony is not None
    assert name in phony[1].split()
    assert f"make {name}" in read("README.md")


def test_the_readme_names_no_target_that_is_not_there() -> None:
    assert set(re.findall(r"`make ([a-z]+)", read("README.md"))) <= targets()


def test_links_of_the_documents_lead_somewhere() -> None:
    for document in ROOT.glob("*.md"):
        for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", document.read_text(encoding="utf-8")):
            assert (ROOT / link).exists(), f"{document.name}: {link}"
