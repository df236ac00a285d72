"""Print a step of sql/ as PostgreSQL runs it, for psql: `python -m projector.cli.print_step refresh/2_lock`.

The settings and staging tables of a batch's session come first, so that EXPLAIN works on the step. Parameters
become variables of psql: `psql -v shards="'{0,1}'"`.
"""

import re
import sys

from projector.database.connect import SEARCH_PATH
from projector.database.dialect import ONE_SERVER
from projector.database.sql import statement, steps

_PARAMETER = re.compile(r"%\((\w+)\)s")


def printed(name: str) -> str:
    """Return the setup of a session and the steps of a path below `sql/`. Raises LookupError for none."""
    session = [f"SET search_path = {SEARCH_PATH};", *(f"{text};" for text in ONE_SERVER.settings)]
    session.append(statement("refresh/0_session/10_staging_tables"))
    texts = [f"-- {step.name}\n{step.text.decode()}" for step in steps(name)]
    return "\n".join((*session, *(_PARAMETER.sub(r":\1", text).replace("%%", "%") for text in texts))) + "\n"


if __name__ == "__main__":
    try:
        sys.stdout.write(printed(sys.argv[1]))
    except (IndexError, LookupError) as error:
        sys.exit(
            f"{error}: name a folder or a file below sql/, such as refresh/7_compare_leads/70_compute_leads."
        )
