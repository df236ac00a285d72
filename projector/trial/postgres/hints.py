"""What `make run` suggests to try: commands and requests that work as they are, from any folder."""

import shlex
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow, class_row

import projector
from projector.config import Config
from projector.database.database_url import normalize
from projector.database.sql import query

Connection = psycopg.Connection[TupleRow]

# Of the demo: the documents show this lead.
_TENANT = "789895c8-4bd6-43e9-bfea-a4171ec47197"
_LEAD = "918979556941"


@dataclass(frozen=True, slots=True)
class ExampleLead:
    """A lead that is there."""

    user_id: str
    customer_phone: str


def find_example(conn: Connection) -> ExampleLead | None:
    """Return the lead that the documents show, else one of the tenant with most leads; None where there is no lead."""
    with conn.cursor(row_factory=class_row(ExampleLead)) as cursor:
        wanted = {"user_id": _TENANT, "customer_phone": _LEAD}
        return cursor.execute(query("postgres", "find_example_lead"), wanted).fetchone()


def requests(api: str, example: ExampleLead | None) -> list[str]:
    """Return curl lines for a tenant and a lead that are there; none where there is no lead."""
    if example is None:
        return []
    leads = f"{api}/users/{quote(example.user_id, safe='')}/leads"
    paths = ("?limit=5", "/stats", f"/{quote(example.customer_phone, safe='')}")
    # In single quotes always: a reader who changes a parameter needs them.
    return [f"curl '{leads}{path}'" for path in paths]


def command(name: str, config: Config, *, is_embedded: bool) -> str:
    """Return the line that runs a command of the projector on this database.

    The password of a database that an operator named is not repeated: the sentence before the line has to say that
    DATABASE_URL has to be set then, which `needs_url` tells.
    """
    folder = Path(projector.__file__).parents[1]
    is_installed = folder == Path(sysconfig.get_path("purelib"))
    words = [shlex.quote(sys.executable), "-m", "projector"]
    if not is_embedded and not needs_url(config):
        words += ["--database-url", shlex.quote(config.database_url)]
    elif is_embedded and (is_installed or config.state_dir != folder / ".leads"):
        words.insert(0, f"LEADS_STATE_DIR={shlex.quote(str(config.state_dir))}")
    line = " ".join([*words, name])
    return line if is_installed else f"(cd {shlex.quote(str(folder))} && {line})"


def needs_url(config: Config) -> bool:
    """Return whether the URL of the database holds a password, which no hint repeats."""
    return "password" in conninfo_to_dict(normalize(config.database_url))
