"""What the targets of the Makefile do to a folder."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_setup_never_empties_the_folder_that_a_link_leads_to(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements-trial.lock", "requirements-dev.lock"):
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "kept").touch()
    (tmp_path / ".venv").symlink_to(shared)
    done = subprocess.run(["make", "setup"], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode
    assert "remove the link" in done.stderr
    assert (shared / "kept").exists()


def test_an_environment_without_pip_hides_no_other_interpreter(tmp_path: Path) -> None:
    """The README puts .venv, which has no pip, first on PATH."""
    paths = []
    for folder, answer in (("my .venv", 'case "$*" in *pip*) exit 1; esac'), ("system", "true")):
        paths.append(tmp_path / folder / "python3")
        paths[-1].parent.mkdir()
        paths[-1].write_text(f"#!/bin/sh\n{answer}\n", "utf-8")
        paths[-1].chmod(0o755)

    def chosen(*folders: Path) -> str:
        path = os.pathsep.join(map(str, (*folders, os.defpath)))
        told = ["make", "-f", str(ROOT / "Makefile"), "--eval=told: ; @echo $(PYTHON)", "told"]
        done = subprocess.run(
            told, cwd=tmp_path, env={"PATH": path}, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    without, having = paths
    assert chosen(without.parent, having.parent) == str(having)
    assert chosen(having.parent, without.parent) == str(having)


def test_types_for_clients_say_what_they_need(tmp_path: Path) -> None:
    for name in (
        "Makefile",
        "requirements-trial.lock",
        "tests/client/package.json",
        "tests/client/package-lock.json",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    nothing = tmp_path / "bin"
    for folder in (nothing, tmp_path / ".venv"):
        folder.mkdir()
    (tmp_path / ".venv" / "trial.stamp").touch()
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run(
        [make, "client-types"],
        cwd=tmp_path,
        env={"PATH": str(nothing)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode
    assert "apt-get install nodejs npm" in done.stderr
    assert not (tmp_path / "dist").exists()
