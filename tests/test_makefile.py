"""What the targets of the Makefile do to a folder."""

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
