"""The address that each session of the API connects to."""

import subprocess
import sys

from psycopg.conninfo import conninfo_to_dict

from api.config import Config
from api.database.conninfo import conninfo
from tests.support.cases import cases


def test_the_settings_of_the_api_come_after_those_of_the_address() -> None:
    given = conninfo_to_dict(conninfo(Config("postgresql://a@b/c?options=-c%20jit%3Don&connect_timeout=9")))
    options = str(given["options"])
    assert options.index("-c jit=on") < options.index("-c jit=off")
    assert "-c default_transaction_read_only=on" in options
    assert (given["connect_timeout"], given["application_name"]) == ("9", "leads-api")


@cases("module", ["api.database.conninfo", "api.database.login_check"])
def test_what_runs_before_the_workers_counts_nothing(module: str) -> None:
    """The folder in which several workers count together is named before prometheus_client is imported."""
    command = f"import sys, {module}; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
