"""Documents of the status in states that a test need not bring about."""

from copy import deepcopy
from typing import Any

from projector.observe.status.read import Document


def changed(status: Document, values: dict[str, Any]) -> Document:
    """Return a copy of a status with these values at their paths, such as "queue.lag"."""
    made = deepcopy(status)
    for path, value in values.items():
        *parents, name = path.split(".")
        place = made
        for parent in parents:
            place = place[parent]
        place[name] = value
    return made
