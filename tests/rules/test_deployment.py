"""The files for operators: containers, compose, Kubernetes and units, as their own tools read them."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from projector.cli import cli
from tests.rules.files import ROOT, read

DEPLOY = ROOT / "projector" / "operate" / "deploy"
CONTAINERFILE = ROOT / "Containerfile"
COMPOSE = ROOT / "compose.yaml"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
UNITS = sorted(DEPLOY.glob("*.service"))
PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
SETTINGS = {*re.findall(r"^\| `([A-Z_]+)`", read("docs/settings.md"), re.MULTILINE), "LEADS_AUTH"}
MOST_EXPOSED = 30
"""Tenths of the exposure that `systemd-analyze security` prints, from 0 to 100."""

# Each tool with a file, and a change that it has to find.
HADOLINT = ("hadolint",)
COMPOSE_SCHEMA = ("check-jsonschema", "--builtin-schema", "vendor.compose-spec")
KUBERNETES_SCHEMA = ("kubernetes-validate", "--strict")
LINTED = [
    (HADOLINT, CONTAINERFILE, "COPY requirements.lock ./", "COPY requirements.lock pyproject.toml dist"),
    (COMPOSE_SCHEMA, COMPOSE, "condition: service_healthy", "condition: healthy"),
    (KUBERNETES_SCHEMA, KUBERNETES[0], "stringData:", "stringDatum:"),
    (KUBERNETES_SCHEMA, KUBERNETES[1], "restartPolicy: Never", "restartPolicy: [Never]"),
    (KUBERNETES_SCHEMA, KUBERNETES[2], "livenessProbe:", "liveProbe:"),
]


def test_its_tool_accepts_each_file_and_no_spoilt_one(tmp_path: Path) -> None:
    assert {linted[1] for linted in LINTED} == {CONTAINERFILE, COMPOSE, *KUBERNETES}
    for (tool, *options), path, right, wrong in LINTED:
        spoilt = tmp_path / path.name
        text = path.read_text("utf-8")
        assert right in text, path
        spoilt.write_text(text.replace(right, wrong), "utf-8")
        for file in (path, spoilt):
            command = [str(Path(sys.executable).parent / tool), *options, str(file)]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            assert (done.returncode == 0) == (file == path), done.stdout + done.stderr


def directives(unit: Path) -> dict[str, list[str]]:
    """Return the directives of a unit, each with its values."""
    values: dict[str, list[str]] = {}
    for name, value in re.findall(r"^([A-Z]\w+)=(.*)$", unit.read_text("utf-8"), re.MULTILINE):
        values.setdefault(name, []).append(value)
    return values


def with_stub(unit: Path, folder: Path, text: str | None = None) -> Path:
    """Return a copy of a unit whose program is there."""
    copy = folder / unit.name
    copy.write_text(
        re.sub(
            r"(?<=^ExecStart=)\S+",
            shutil.which("true") or "",
            text or unit.read_text("utf-8"),
            flags=re.MULTILINE,
        ),
        "utf-8",
    )
    return copy


def analyze(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["systemd-analyze", *arguments, "--no-pager"], check=False, capture_output=True, text=True
    )


@pytest.mark.systemd
def test_systemd_knows_each_directive_of_a_unit_and_finds_little_exposed(tmp_path: Path) -> None:
    security = ("security", "--offline=true", f"--threshold={MOST_EXPOSED}")
    for unit in UNITS:
        done = analyze("verify", "--man=no", with_stub(unit, tmp_path))
        assert (done.returncode, done.stderr) == (0, "")
        misspelt = unit.read_text("utf-8").replace("PrivateTmp=", "PrivateTemp=")
        assert "PrivateTemp" in analyze("verify", "--man=no", with_stub(unit, tmp_path, misspelt)).stderr
        done = analyze(*security, with_stub(unit, tmp_path))
        assert done.returncode == 0, done.stdout + done.stderr
        open_wide = re.sub(
            r"^(Protect|Private|Restrict|SystemCall).*\n", "", unit.read_text("utf-8"), flags=re.MULTILINE
        )
        assert analyze(*security, with_stub(unit, tmp_path, open_wide)).returncode != 0


def test_a_unit_stays_down_after_a_bad_setting_and_has_program_user_and_settings_of_its_own() -> None:
    units = [directives(unit) for unit in UNITS]
    for unit in units:
        assert Path(unit["ExecStart"][0].split()[0]).name in PROJECT["scripts"]
        assert (unit["Restart"], unit["RestartPreventExitStatus"]) == (["always"], ["2"])
        # What goes wrong in it takes no more of the machine.
        assert len(unit["MemoryMax"]) == len(unit["TasksMax"]) == 1
    for name in ("User", "Group", "EnvironmentFile"):
        values = [value for one in units for value in one[name]]
        assert len(set(values)) == len(UNITS), f"{name}: {values}"


def services() -> dict[str, dict[str, Any]]:
    by_name: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    return by_name


def objects(kind: str) -> list[dict[str, Any]]:
    every = [document for path in KUBERNETES for document in yaml.safe_load_all(path.read_text("utf-8"))]
    return [document for document in every if document["kind"] == kind]


def containers() -> list[dict[str, Any]]:
    """Return the containers of the Kubernetes example, each with the variables of its secrets."""
    secrets = {secret["metadata"]["name"]: secret["stringData"] for secret in objects("Secret")}
    described = []
    for owner in [*objects("Job"), *objects("Deployment")]:
        pod = owner["spec"]["template"]["spec"]
        for container in pod["containers"]:
            variables = {entry["name"]: entry["value"] for entry in container.get("env", [])}
            for source in container.get("envFrom", []):
                variables |= secrets[source["secretRef"]["name"]]
            described.append({**container, "pod": pod, "variables": variables})
    return described


def stages() -> dict[str, str]:
    """Return the stages of the Containerfile, without comments."""
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text("utf-8"), flags=re.MULTILINE)
    return {stage.split()[2]: stage for stage in re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]}


def started() -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Return where a program of ours is started, its command, and its environment."""
    for name, service in services().items():
        if "leads-read-model" in service["image"]:
            yield f"compose.yaml: {name}", service["command"], service["environment"]
    for container in containers():
        if "leads-read-model" in container["image"]:
            yield f"kubernetes: {container['name']}", container["command"], container["variables"]
    for name, stage in stages().items():
        command = re.search(r"^CMD (\[.*\])$", stage, re.MULTILINE)
        if command:
            variables = dict(re.findall(r"\b([A-Z_]+)=(\S+)", stage))
            yield f"Containerfile: {name}", yaml.safe_load(command[1]), variables


STARTED = list(started())


def test_a_program_is_started_as_it_can_be_and_says_off_loopback_who_may_read() -> None:
    for place, (program, *words), variables in STARTED:
        assert program in ("leads-api", "leads-projector"), place
        if program == "leads-projector":
            chosen = cli.commands[words[0]]
            assert isinstance(chosen, click.Command)
            chosen.make_context(place, words[1:])
        assert set(variables) <= SETTINGS | {"PATH"}, place
        assert "HOST" not in variables or variables.get("LEADS_AUTH"), f"{place} runs {program} for everybody"


def test_the_api_gets_no_url_but_that_of_its_own_login() -> None:
    of_api = [variables for _, command, variables in STARTED if command == ["leads-api"] and variables]
    assert len(of_api) == len(("compose", "kubernetes"))
    for variables in of_api:
        assert "DATABASE_URL" not in variables
        assert re.match(r"postgresql://leads_web:", variables["LEADS_API_DATABASE_URL"])
        assert not [value for value in variables.values() if "platform:" in value or "PLATFORM" in value]


PORTS_OF_METRICS = {"leads-projector": "LEADS_METRICS_PORT", "leads-api": "LEADS_API_METRICS_PORT"}


def test_prometheus_finds_the_metrics_of_each_program_in_kubernetes() -> None:
    names = set()
    for deployment in objects("Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        name = container.get("command", [""])[0]
        if name not in PORTS_OF_METRICS:
            continue
        names.add(name)
        variables = {entry["name"]: entry["value"] for entry in container["env"]}
        port = variables[PORTS_OF_METRICS[name]]
        assert variables["LEADS_METRICS_HOST"] == "0.0.0.0"  # Within the pod.
        annotations = deployment["spec"]["template"]["metadata"]["annotations"]
        assert annotations == {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": port,
            "prometheus.io/path": "/metrics",
        }
        assert {"name": "metrics", "containerPort": int(port)} in container["ports"]
    assert names == set(PORTS_OF_METRICS)


def test_metrics_are_on_no_port_that_callers_reach() -> None:
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in objects("NetworkPolicy")}
    assert policies["leads-api"]["ingress"] == [{"ports": [{"port": "http"}]}]
    (rule,) = policies["leads-metrics"]["ingress"]
    assert rule["ports"] == [{"port": "metrics"}]
    assert rule["from"]
    published = [port for service in services().values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:4000:4000"]
    for name, program in (("projector", "leads-projector"), ("api", "leads-api")):
        variables = services()[name]["environment"]
        assert variables[PORTS_OF_METRICS[program]].isdigit()
        assert variables["LEADS_METRICS_HOST"] == "0.0.0.0"  # Within the network of the file.


def test_the_images_are_of_this_version() -> None:
    images = [service["image"] for service in services().values()] + [
        container["image"] for container in containers()
    ]
    ours = [image for image in images if "leads-read-model" in image]
    assert ours
    assert {image.rpartition(":")[2] for image in ours} == {PROJECT["version"]}, (
        "set the tag of the images to the version"
    )
    assert [image for image in images if ":" not in image or image.endswith(":latest")] == []


def test_the_command_of_the_page_pins_each_image_by_its_digest(tmp_path: Path) -> None:
    [block] = re.findall(r"^```bash\n([^`]*skopeo[^`]*)```", read("docs/start.md"), re.MULTILINE)
    files = [path.relative_to(ROOT) for path in (CONTAINERFILE, COMPOSE, *KUBERNETES)]
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    # In place of the one that asks a registry.
    stub = tmp_path / "skopeo"
    for digit in "12":
        stub.write_text(
            f'#!/bin/sh\necho "sha256:$(echo $4 | md5sum | cut -c1-32)$(printf %032d {digit})"\n', "utf-8"
        )
        stub.chmod(0o755)
        environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        subprocess.run(["bash", "-euc", block], cwd=tmp_path, env=environment, check=True)
        text = "".join((tmp_path / file).read_text("utf-8") for file in files)
        images = set(
            re.findall(r"^(?: +image:|ARG PYTHON=) ?(?!.*leads-read-model)(\S+)", text, re.MULTILINE)
        )
        pinned = {re.sub(rf"(:[\w.-]+)@sha256:[0-9a-f]{{32}}0*{digit}$", r"\1", image) for image in images}
        assert {image.rpartition("/")[2].partition(":")[0] for image in pinned} == {
            "python",
            "postgres",
            "valkey",
        }
        assert len(images) == len(pinned) == 3
        assert "@" not in "".join(pinned)


def test_the_image_for_production_is_the_one_built_by_default_and_has_no_server() -> None:
    assert list(stages())[-1] == "production"
    assert re.findall(r"--from=([\w-]+)", stages()["production"]) == ["installed"]
    assert re.findall(r"requirements[\w-]*\.lock", stages()["installed"]) == ["requirements.lock"] * 2
    for name in ("production", "trial"):
        assert "USER 10001:10001" in stages()[name]


def test_a_build_sees_what_the_wheel_is_made_of_and_no_secret() -> None:
    lines = read(".dockerignore").splitlines()
    assert lines[1] == "*"
    admitted = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE.read_text("utf-8"), re.MULTILINE)
        for word in line.split()
    }
    assert admitted == copied
    assert all((ROOT / name).exists() for name in admitted)


def test_a_container_has_no_rights_and_its_resources() -> None:
    for container in containers():
        assert container["pod"]["securityContext"]["runAsNonRoot"]
        assert container["pod"]["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"requests", "limits"} == set(container["resources"])


def test_the_crontab_is_one() -> None:
    jobs = [line for line in (DEPLOY / "crontab").read_text("utf-8").splitlines() if re.match(r"[\d*]", line)]
    assert jobs
    # cron takes a percent sign for a new line.
    assert [line for line in jobs if not re.match(r"([\d*/]+\s+){5}\S", line) or "%" in line] == []
    # Each would wait for a first build with a connection of its own.
    assert all("flock -n /opt/leads/venv/bin/leads-projector " in line for line in jobs if "refresh" in line)


def test_ci_installs_what_the_tests_of_units_need() -> None:
    assert "systemd-analyze" in read(".ci/run")
    assert os.environ.get("CI") != "true" or shutil.which("systemd-analyze")
