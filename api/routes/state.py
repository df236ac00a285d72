"""The parts of an application that its routes use."""

from dataclasses import dataclass

from api.auth.gate import Gate
from api.config import Config
from api.database.pool import Database
from api.limits.exports import Places
from api.limits.rate import TenantLimit
from api.limits.running import RunningRequests
from api.request import current
from api.response.body import Clock
from api.routes.read_model import ReadModel

_NAME = "leads"


@dataclass(slots=True)
class State:
    """What an application has made once, for all of its requests."""

    config: Config
    clock: Clock
    database: Database
    running: RunningRequests
    # None where the API asks nobody who calls.
    gate: Gate | None
    # None where there is none.
    limit: TenantLimit | None
    read_model: ReadModel
    exports: Places


def state() -> State:
    """Returns the parts of the current application."""
    found: State = current.app().extensions[_NAME]
    return found


def read_model() -> ReadModel:
    """Returns the read model of the current application."""
    return state().read_model
