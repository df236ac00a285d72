"""The data folder of PostgreSQL: how it is created, checked and configured."""

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from projector.report.errors import EmbeddedServerError
from projector.trial.postgres.binaries import Binaries
from projector.trial.postgres.ports import free_port, port_is_free
from projector.trial.postgres.runner import Runner, run_program

SUPERUSER = "postgres"

# The newest locale with Unicode's rules that the operating system has; `C` knows ASCII only.
_LOCALES = ("C.UTF-8", "en_US.UTF-8", "C")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a ",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """The data in `folder`, with the port and the password of the server. `runner` is the user that runs it."""

    folder: Path
    settings: Mapping[str, str]
    runner: Runner | None

    @property
    def data(self) -> Path:
        """The data folder of PostgreSQL."""
        return self.folder / "data"

    def initialize(self, binaries: Binaries) -> None:
        """Create the data folder, with Unicode's rules for upper and lower case, and a password.

        Raises EmbeddedServerError where initdb fails.
        """
        password = self.folder / "password"
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        new = self.folder / "data.new"
        arguments = [
            f"--pgdata={new}",
            f"--username={SUPERUSER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
        ]
        if self.settings.get("fsync") == "off":
            arguments.append("--no-sync")
        if binaries.major >= 16:  # noqa: PLR2004  # The version that brought the options.
            # Many rounds protect a password that can be guessed; this one cannot.
            arguments.append("--set=scram_iterations=1")
        if binaries.major >= 17:  # noqa: PLR2004  # As above.
            arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self.runner is not None:
            os.chown(password, self.runner.uid, self.runner.gid)
        output = ""
        for locale in _LOCALES:
            shutil.rmtree(new, ignore_errors=True)
            done = run_program([binaries.folder / "initdb", *arguments, f"--locale={locale}"], self.runner)
            if done.returncode == 0:
                with (new / "postgresql.conf").open("a") as file:
                    file.write("include_if_exists 'leads.conf'\n")
                new.rename(self.data)
                return
            output = done.stdout
        raise EmbeddedServerError(f"PostgreSQL could not make its data folder {new}: {last_line(output)}")

    def check_version(self, binaries: Binaries) -> None:
        """Raise EmbeddedServerError for binaries of another major version than the data."""
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != str(binaries.major):
            raise EmbeddedServerError(
                f"The data in {self.folder} were made by PostgreSQL {made_by}, and {binaries.folder} is "
                f"{binaries.major}: set LEADS_PG_BIN to a PostgreSQL {made_by}, "
                "or LEADS_STATE_DIR to a new folder."
            )

    def configure(self) -> None:
        """Write the settings and the port; a new port where the last one is in use."""
        port_file = self.folder / "port"
        port = int(port_file.read_text()) if port_file.exists() else 0
        if not port or not port_is_free("127.0.0.1", port):
            port = free_port()
            port_file.write_text(f"{port}\n")
        settings = {**_SETTINGS, **self.settings, "port": str(port)}
        file = self.data / "leads.conf"
        lines = ["# Written anew at each start."]
        lines += [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in settings.items()]
        file.write_text("\n".join(lines) + "\n")
        if self.runner is not None:
            os.chown(file, self.runner.uid, self.runner.gid)


def last_line(text: str) -> str:
    """Return the last line that is not blank, as a sentence."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1] if lines[-1].endswith(".") else f"{lines[-1]}."


def tail(path: Path) -> str:
    """Return the end of a text file; an empty text where it cannot be read."""
    try:
        return path.read_text(errors="replace")[-2000:]
    except OSError:
        return ""
