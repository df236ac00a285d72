"""The event streams of a process, on its event loop: streams that ask for the same share one statement per change.

PostgreSQL notifies this process which tenant has changed; where it cannot, the process polls every POLL_SECONDS.
Notifications may be lost while the NOTIFY queue is nearly full, so it also polls every BEAT_SECONDS. Each stream of a
changed tenant then reads, in a thread, what changed since its token. Streams with the same tenant, filters and token
share one reading, and streams that keep up have the same token. A tenant has one reading at a time, so a tenant with
many filters does not take every thread.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from random import randint
from typing import Any, NamedTuple, TypeVar, cast
from weakref import WeakValueDictionary

import structlog
from werkzeug.exceptions import HTTPException

from api.auth.authorizer import Authorizer
from api.config import Config
from api.database.connect import OwnConnection
from api.database.errors import UnavailableError
from api.database.listen import listen, name_of, read_told
from api.database.pool import Database
from api.limits.admission import LONGEST_REST_SECONDS
from api.plan.changes import FEEDS, ChangesRow, json_of_change
from api.plan.list.filters import given_filters
from api.plan.projection import tenant_now
from api.request.position.change_token import Token, history_of
from api.response.errors import TokenGoneError
from api.response.events import (
    AWAY,
    BEAT,
    NO_DATABASE,
    EventStream,
    change_event,
    gone_event,
    last_event,
    opening_event,
)
from api.routes.changes import page_after
from api.routes.read_model import ReadModel

BEAT_SECONDS = 5.0
"""How often a stream sends a beat, and checks that its caller reads it and may still read the tenant."""

POLL_SECONDS = 0.5
RETRY_SECONDS = 1.0
# How many statements of streams run at once, each with a thread and a connection of its own.
READERS = 2
# The stream of a caller that takes longer to read is ended.
UNREAD_SECONDS = 30.0
# The callers of a process that ends reconnect within this time.
COME_BACK_MS = (500, 5000)

Answer = TypeVar("Answer")
Send = Callable[[bytes], Awaitable[object]]

# Each line of the log asks for its logger, because create_app configures structlog after this import.
log = structlog.get_logger


@dataclass(slots=True, eq=False)
class _Viewer:
    """A stream that is open."""

    stream: EventStream
    # The same for all streams that are sent the same changes.
    asks_for: Hashable
    # The name of its tenant in notifications.
    name: str
    task: "asyncio.Task[Any]"
    # Set when there is a change to read or a beat to send.
    is_called: asyncio.Event = field(default_factory=asyncio.Event)
    # A new stream first reads what has changed since its token.
    is_stale: bool = True
    # When the data were sent that the caller has not read yet, by the clock of the loop.
    sending_since: float = inf

    def __post_init__(self) -> None:
        self.is_called.set()


class _Page(NamedTuple):
    """The events of some changes, and the token from which to continue."""

    events: bytes
    following: Token
    has_more: bool


class LiveStreams:
    """All streams of a process. Every method except `__init__` runs on the event loop."""

    def __init__(self, config: Config, authorizer: Authorizer | None) -> None:
        self._config = config
        self._authorizer = authorizer
        # As many sessions as READERS.
        self._model = ReadModel(Database(replace(config, threads=READERS - 2)))
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="streams")
        self._viewers: set[_Viewer] = set()
        # The readings under way, by what they read and the number of changes of its tenant.
        self._reading: dict[Hashable, asyncio.Task[_Page]] = {}
        self._changes: Counter[str] = Counter()
        # The lock that a reading of a tenant holds.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # How soon this process learns of a change, once that is known.
        self._delay = ""
        self._is_followed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def serve(self, stream: EventStream, send: Send, is_ending: asyncio.Event) -> None:
        """Send the changes of a tenant until its caller leaves, stops reading or loses access, or the process ends."""
        viewer = self._open(stream, is_ending)
        loop = asyncio.get_running_loop()

        async def send_noted(data: bytes) -> None:
            viewer.sending_since = loop.time()
            await send(data)
            viewer.sending_since = inf

        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_followed.wait(), RETRY_SECONDS)
            await send_noted(opening_event(stream, self._delay or NO_DATABASE))
            await self._send_changes(viewer, send_noted, is_ending)
        except asyncio.CancelledError:
            # The caller has left, or has stopped reading.
            pass
        finally:
            self._viewers.discard(viewer)
            stream.end()

    async def wait_for_change(self, stream: EventStream, seconds: float, is_ending: asyncio.Event) -> None:
        """Return as soon as there is a change for the caller of a page.

        Returns after this many seconds in any case, and at once if the changes cannot be read: the answer then says so.
        """
        viewer = self._open(stream, is_ending)
        try:
            async with asyncio.timeout(seconds):
                while not is_ending.is_set() and not (await self._page(viewer, stream.since)).events:
                    await viewer.is_called.wait()
                    viewer.is_called.clear()
        except (TimeoutError, TokenGoneError, UnavailableError, HTTPException):
            pass
        finally:
            self._viewers.discard(viewer)

    def _open(self, stream: EventStream, is_ending: asyncio.Event) -> _Viewer:
        """Register a stream, which is called now and whenever its tenant changes."""
        filters, values = given_filters(stream.parameters)
        # Pages of different lengths are shared too, because the next page begins where the last one ends.
        asks_for = (stream.user_id, stream.feed, filters, repr(values), stream.parameters.printed_with)
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        viewer = _Viewer(stream, asks_for, name_of(stream.user_id), task)
        self._viewers.add(viewer)
        if not self._tasks:
            begun = (self._follow(), self._beat_for_ever(), self._end_with(is_ending))
            self._tasks = [asyncio.create_task(work) for work in begun]
        return viewer

    async def _send_changes(self, viewer: _Viewer, send: Send, is_ending: asyncio.Event) -> None:
        """Send changes and beats until the caller may no longer read, its token is gone, or the process ends."""
        stream = viewer.stream
        at, is_gone = stream.since, stream.is_gone
        while not (is_gone or is_ending.is_set()):
            await viewer.is_called.wait()
            viewer.is_called.clear()
            # Its token or key may have expired since the last call.
            if not await self._may_go_on(stream):
                return
            if not viewer.is_stale:
                await send(BEAT)
                continue
            viewer.is_stale = False
            try:
                page = await self._page(viewer, at)
            except TokenGoneError:
                is_gone = True
            except UnavailableError:
                await send(AWAY)
                await asyncio.sleep(RETRY_SECONDS)
                _call(viewer)
            else:
                at = page.following
                if page.has_more:
                    _call(viewer)
                if page.events:
                    await send(page.events)
        # When the process ends, callers reconnect at random times, so that they do not all come back at once.
        await send(gone_event(FEEDS[stream.feed].export) if is_gone else last_event(randint(*COME_BACK_MS)))  # noqa: S311  # It protects nothing.

    async def _may_go_on(self, stream: EventStream) -> bool:
        """Return whether a caller may still read the tenant; as for requests, a kept result is believed."""
        authorizer, header = self._authorizer, stream.authorization
        if authorizer is None or authorizer.cached_access(header, stream.user_id) is not None:
            return True
        try:
            await self._in_thread(partial(authorizer.require_access, header, stream.user_id))
        except HTTPException:
            return False
        except UnavailableError:
            # The check failed, and is repeated at the next beat.
            pass
        return True

    async def _page(self, viewer: _Viewer, at: Token) -> _Page:
        """Return what changed after a token. Raises TokenGoneError and UnavailableError."""
        # A reading that began before the last change may miss it.
        key = (viewer.asks_for, at, self._changes[viewer.name])
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.create_task(self._read(viewer.stream, at))
            reading.add_done_callback(lambda _: self._reading.pop(key))
        # The reading continues for the others if one of them leaves.
        return await asyncio.shield(reading)

    async def _read(self, stream: EventStream, at: Token) -> _Page:
        feed = FEEDS[stream.feed]

        def ask() -> ChangesRow:
            # The catalog of attributes may have changed since the stream began.
            parameters = self._model.resolved(stream.parameters)
            asked = feed.changes_since(stream.user_id, at.position, parameters)
            return self._model.look(asked, parameters)

        row = await self._in_turn(stream.user_id, ask)
        page, history = page_after(feed, at, row, stream.parameters), history_of(row.place, row.epoch)
        events = (
            change_event(stream, Token(feed.position_of(change), history), json_of_change(change))
            for change in page.changes
        )
        return _Page(b"".join(events), Token(page.following, history), page.has_more)

    async def _in_turn(self, tenant: str, ask: Callable[[], Answer]) -> Answer:
        """Return what is read for a tenant. Its next reading waits for as long as this one took."""
        loop, turn = asyncio.get_running_loop(), self._turns.setdefault(tenant, asyncio.Lock())
        await turn.acquire()
        began = loop.time()
        try:
            return await self._in_thread(ask)
        finally:
            loop.call_later(min(loop.time() - began, LONGEST_REST_SECONDS), turn.release)

    async def _in_thread(self, ask: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    def _changed(self, names: Collection[str] | None) -> None:
        """Call the streams of these tenants to read; None stands for all tenants."""
        called = [viewer for viewer in self._viewers if names is None or viewer.name in names]
        self._changes.update({viewer.name for viewer in called} if names is None else names)
        for viewer in called:
            _call(viewer)

    async def _follow(self) -> None:
        """Learn which tenants change, until the process ends."""
        while True:
            try:
                listener = await self._in_thread(partial(listen, self._config))
                self._delay = (
                    "changes are told" if listener else f"changes are looked for every {POLL_SECONDS} s"
                )
                self._is_followed.set()
                log().info("event streams", learn=self._delay)
                # Changes may have been missed while the process did not listen.
                self._changed(None)
                await (self._poll(POLL_SECONDS) if listener is None else self._hear(listener))
            except UnavailableError:
                # Each stream notices the failure itself, and tells its caller.
                self._changed(None)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:  # noqa: BLE001  # After any error, the streams have to learn of changes again.
                log().exception("event streams do not learn of changes")
                await asyncio.sleep(RETRY_SECONDS)

    async def _hear(self, listener: OwnConnection) -> None:
        """Read notifications. Raises UnavailableError at the end of the session."""
        loop, is_told = asyncio.get_running_loop(), asyncio.Event()
        # Read now, because a closed session has no file number.
        number = listener.fileno()
        loop.add_reader(number, is_told.set)
        polling = asyncio.create_task(self._poll(BEAT_SECONDS))
        try:
            while True:
                await is_told.wait()
                is_told.clear()
                self._changed(read_told(listener))
        finally:
            polling.cancel()
            loop.remove_reader(number)
            listener.close()

    async def _poll(self, every: float) -> None:
        """Read the version of each tenant with a stream, every `every` seconds."""
        versions: dict[str, bytes | None] = {}
        while True:
            await asyncio.sleep(every)
            for tenant in {viewer.stream.user_id for viewer in self._viewers}:
                try:
                    row = await self._in_thread(partial(self._model.look, tenant_now(tenant)))
                except UnavailableError:
                    self._changed({name_of(tenant)})
                    continue
                if versions.get(tenant) != row.version:
                    self._changed({name_of(tenant)})
                versions[tenant] = row.version

    async def _beat_for_ever(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            unread = asyncio.get_running_loop().time() - UNREAD_SECONDS
            for viewer in self._viewers:
                viewer.is_called.set()
                if viewer.sending_since < unread:
                    log().info("an event stream was ended, because its caller does not read it")
                    viewer.task.cancel()

    async def _end_with(self, is_ending: asyncio.Event) -> None:
        """End all streams when the process ends: the server waits for their connections."""
        await is_ending.wait()
        self._changed(None)


def _call(viewer: _Viewer) -> None:
    """Call a stream to read what has changed."""
    viewer.is_stale = True
    viewer.is_called.set()
