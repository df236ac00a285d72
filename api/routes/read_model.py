"""The parts of an application that its routes use, and its reads of the read model, which fail until it is built."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, TypeVar, cast
from wsgiref.types import WSGIEnvironment

import orjson
from flask import current_app

from api.auth.authorizer import Authorizer
from api.config import Config
from api.database.errors import NOT_INSTALLED, OTHER_VERSION, TablesMissingError, UnavailableError
from api.database.parts import names_read, unfilled_names, unfilled_part
from api.database.pool import Database
from api.database.statement import BoundStatement, Freshness, Row
from api.limits.admission import Admission, Slots
from api.limits.exports import Exports
from api.limits.rate import TenantLimit
from api.limits.waiting import is_fresh, refusal_of
from api.observe.request_log import RequestLog
from api.plan.attributes import CATALOG
from api.plan.projection import PROJECTION_STATE, TABLES_STATE, ProjectionRow, tenant_now
from api.request.attributes import Catalog
from api.request.error_codes import ErrorCode
from api.request.parameters import Parameters
from api.request.query import QUERIES
from api.request.record import Clock, Record, record
from api.response.body import Headers, note_freshness
from api.response.plain import PlainAnswers

NEVER_BUILT = "The read model was never built"
# How long the catalog of attributes is used.
CATALOG_SECONDS = 1.0

# The parameters of a statement that depends on no parameter of a request.
NOTHING_ASKED = Parameters()

Answer = TypeVar("Answer", bound=Freshness)


class ReadModel:
    """The read model behind the endpoints.

    The first build fills the tables in one transaction that locks them, so a request before its end would wait for it.
    Therefore each request first reads `projection`, until this process has seen that a build has ended and filled every
    part. Later requests do so only after a failure or an answer without as_of, which suggest that the read model was
    installed anew, or after an answer that says that a part is not filled.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self.database = database
        # Only a test gives a clock; see create_app.
        self._clock = clock
        self._is_whole = False
        self._attributes: tuple[float, Catalog] | None = None

    def fetch(
        self,
        statement: BoundStatement[Answer],
        parameters: Parameters = NOTHING_ASKED,
        read: Callable[[BoundStatement[Answer]], Answer] | None = None,
    ) -> Answer:
        """Return the first row of the statement of a request, and put the freshness into the headers of its answer.

        Raises UnavailableError if the read model, or a part that the request reads, was never built, or if it cannot be
        read now; and what `refusal_of` returns if the row is older than the parameters allow.
        """
        current, min_as_of = record(), parameters.min_as_of
        row = self.look(statement, parameters, read, current)
        if min_as_of is not None and row.as_of is not None and not is_fresh(row.as_of, min_as_of):
            raise refusal_of(row.as_of, min_as_of, self.look(tenant_now(str(current.user_id))).clock)
        return row

    def look(
        self,
        statement: BoundStatement[Answer],
        parameters: Parameters = NOTHING_ASKED,
        read: Callable[[BoundStatement[Answer]], Answer] | None = None,
        noted: Record | None = None,
    ) -> Answer:
        """Return the first row of a statement, which `read` reads. Raises UnavailableError as fetch does.

        The freshness goes into the headers of the answer to the request `noted`, if there is one.
        """
        if self._clock is not None:
            statement = statement.at(self._clock())
        self.require_built(statement)
        row = self._read(statement, read or self.database.fetch)
        if row.as_of is None:
            self._is_whole = False
            raise UnavailableError(NEVER_BUILT, ErrorCode.NOT_BUILT)
        if noted is not None:
            note_freshness(noted, row)
            noted.min_as_of = parameters.min_as_of
        self.require_parts(row, statement, parameters)
        return row

    def attributes(self) -> Catalog:
        """Return the catalog of attributes, read within the last second. Raises UnavailableError as fetch does.

        While a part is not filled, the catalog is read each time, because the part may be filled at any moment.
        """
        if self._attributes is not None:
            read, known = self._attributes
            if known.unfilled is None and read >= monotonic() - CATALOG_SECONDS:
                return known
        self.require_built()
        read = monotonic()
        row = self._read(CATALOG, self.database.fetch)
        catalog = orjson.loads(row.text or b"{}")
        known = Catalog(**catalog, unfilled=row.unfilled, unfilled_names=unfilled_names(row.unfilled))
        self._attributes = read, known
        return known

    def resolved(self, parameters: Parameters) -> Parameters:
        """Return the parameters, resolved by the catalog of attributes if they name any.

        Raises RequestError for an unknown attribute and for a value that it cannot have, and UnavailableError for a
        filter or a facet by an attribute that no build has filled.
        """
        if not parameters.names_attributes:
            return parameters
        resolved = parameters.resolved(self.attributes())
        self._require_filled(resolved.unfilled, resolved.attributes_read)
        return resolved

    def require_built(self, statement: BoundStatement[Any] | None = None) -> None:
        """Raise UnavailableError if the read model was never built, or if a statement reads a part that is not filled.

        PostgreSQL has no statistics of such a part yet, so it may be slow. Once all is filled, this reads nothing.
        """
        if self._is_whole:
            return
        state = self.database.fetch(PROJECTION_STATE)
        require_built(state)
        if statement is not None and state.unfilled is not None:
            self._require_filled(state.unfilled, names_read(statement.statement))
        self._is_whole = state.unfilled is None

    def require_parts(self, row: Freshness, statement: BoundStatement[Any], parameters: Parameters) -> None:
        """Raise UnavailableError if a statement reads a part of the read model that is not filled, as its row says.

        Also raised if the parameters were resolved when other parts were filled.
        """
        if parameters.unfilled != row.unfilled and parameters.names_attributes:
            self._attributes = None
            raise UnavailableError("The attributes have changed just now: try again", ErrorCode.NOT_BUILT)
        if row.unfilled is not None:
            self._is_whole = False
            self._require_filled(row.unfilled, names_read(statement.statement))

    def _require_filled(self, unfilled: bytes | None, names: AbstractSet[str]) -> None:
        part = unfilled_part(unfilled, names)
        if part is not None:
            done = self.database.fetch(PROJECTION_STATE).rebuild_done
            far = "has not begun" if done is None else f"has done {done:.0%}"
            raise UnavailableError(
                f"Not built yet: {part}. It is when the rebuild of everything ends, which {far}."
                " What does not need it is answered",
                ErrorCode.NOT_BUILT,
            )

    def require_tables(self) -> None:
        """Raise UnavailableError unless the API may read all its columns, and row security protects every table."""
        missing = self._read(TABLES_STATE, self.database.fetch).unprotected
        if missing is not None:
            raise UnavailableError(
                "A table is not protected from being read for another tenant:"
                f" {missing.decode().removeprefix('read_model.')}."
                " Run `python -m projector migrate`",
                ErrorCode.NO_RIGHTS,
            )

    def _read(self, statement: BoundStatement[Row], read: Callable[[BoundStatement[Row]], Row]) -> Row:
        try:
            return read(statement)
        except TablesMissingError as error:
            self._is_whole = False
            # The read model is installed, so its tables are of another version.
            self.require_built()
            self._is_whole = False
            raise UnavailableError(OTHER_VERSION, ErrorCode.OTHER_VERSION) from error
        except UnavailableError:
            self._is_whole = False
            raise


def require_built(state: ProjectionRow) -> None:
    """Raise UnavailableError unless the read model has data to answer from."""
    if not state.installed:
        raise UnavailableError(NOT_INSTALLED, ErrorCode.NOT_INSTALLED)
    if state.built_at is None:
        raise UnavailableError(NEVER_BUILT, ErrorCode.NOT_BUILT)


@dataclass(slots=True)
class State:
    """The parts of an application, made once for all requests."""

    config: Config
    # Only a test gives a clock; see create_app.
    clock: Clock | None
    database: Database
    admission: Admission
    # None if the API does not authenticate.
    authorizer: Authorizer | None
    # None without a rate limit.
    limit: TenantLimit | None
    read_model: ReadModel
    exports: Exports
    # The slots of event streams, which hold no thread and no connection to the database.
    streams: Slots
    # None without tracing.
    tracing: Any
    log: RequestLog
    # Headers that are the same on every answer.
    constant: dict[str, str]
    plain: PlainAnswers
    # Returns status, headers and body of an answer; None if it would have to wait.
    answer_at_once: Callable[[WSGIEnvironment], tuple[int, Headers, bytes] | None] = lambda _: None

    def now(self) -> datetime | None:
        """Return the time of a test; None stands for the clock of the database."""
        return self.clock and self.clock()


def parameters_of(operation: str, *path: str) -> Parameters:
    """Return the checked parameters of the current request, resolved by the catalog of attributes.

    `path` has the ids of the path if the operation takes a cursor.
    """
    return read_model().resolved(QUERIES[operation].read(record().query, *path))


def state() -> State:
    """Return the parts of the current application."""
    return cast("State", current_app.extensions["leads"])


def read_model() -> ReadModel:
    """Return the read model of the current application."""
    return state().read_model
