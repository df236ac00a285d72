"""What the targets of the Makefile do to a folder."""

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
