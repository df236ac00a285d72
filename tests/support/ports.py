"""Ports for the servers that tests start."""

import os
import random
from itertools import cycle

from projector.trial.postgres.embedded import listen_error

_COUNT = 1_000
_FIRST = 20_000 + _COUNT * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))

# Only this process uses these ports, and they are below those of outgoing connections: a server listens only some time
# after its port was chosen. Two servers of the API that start at the same time could share a port, and a request would
# get the answer of another test's server. Another run of the tests on this machine begins at another port.
_ports = cycle(_FIRST + number for number in random.SystemRandom().sample(range(_COUNT), _COUNT))


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens, and which this process has not returned for long."""
    return next(port for port in _ports if not listen_error("127.0.0.1", port))
