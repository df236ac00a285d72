"""The event streams of a process, on its event loop: one statement a change for all that ask for the same.

PostgreSQL tells which tenant has changed, or is asked every POLL_SECONDS where it cannot tell. A group of streams has
the same tenant and filters. What changed since the position of a group is read once, in a thread for that, and sent to
each stream of it. A stream that begins before that position first catches up by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from random import randint
from time import time
from typing import Any, NamedTuple, TypeVar, cast

import structlog
from werkzeug.exceptions import HTTPException

from api.auth.gate import Gate
from api.config import Config
from api.database.connect import OwnConnection
from api.database.errors import UnavailableError
from api.database.listen import listen, name_of, read_told
from api.database.pool import Database
from api.plan.changes import changes_since
from api.plan.list.filters import given_filters
from api.plan.projection import tenant_now
from api.request.change_token import Position, Token, history_of
from api.request.parameters import Parameters
from api.response.errors import TokenGoneError
from api.response.events import BEAT, EventStream, change_event, gone_event, last_event, opening_event
from api.routes.changes import position_after
from api.routes.read_model import ReadModel

BEAT_SECONDS = 5.0
"""How often a stream says that it is there, and is looked at: whether it is read, and whether its caller may go on."""

POLL_SECONDS = 0.5
RETRY_SECONDS = 1.0
# What is asked at once, in threads and connections that are there for streams.
READERS = 2
# What waits for a caller, and for how long: one that takes less is ended.
MOST_WAITING_BYTES = 256 * 1024
UNREAD_SECONDS = 30.0
# Within which time the callers of a process that ends come back.
COME_BACK_MS = (500, 5000)

Found = TypeVar("Found")
Send = Callable[[bytes], Awaitable[object]]

# Each line of the log asks for its logger, because create_app configures structlog after this import.
log = structlog.get_logger


@dataclass(slots=True, eq=False)
class _Viewer:
    """A stream that is open: where it is, and what waits for its caller."""

    stream: EventStream
    task: "asyncio.Task[Any]"
    position: Position
    # Until when the caller is believed, in seconds since 1970.
    until: float = 0.0
    waiting: list[bytes] = field(default_factory=list)
    size: int = 0
    is_told: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False
    # Since when the caller has not taken what was sent, by the clock of the loop.
    sending_since: float = inf

    def give(self, data: bytes, *, is_last: bool = False) -> None:
        """Have some bytes sent; end the stream if too many wait already."""
        self.waiting.append(data)
        self.size += len(data)
        self.is_over = self.is_over or is_last
        self.is_told.set()
        if self.size > MOST_WAITING_BYTES:
            self.end_unread()

    def end_unread(self) -> None:
        """End the stream of a caller that does not read it."""
        log().info("an event stream was ended, because its caller does not read it")
        self.task.cancel()


@dataclass(slots=True, eq=False)
class _Group:
    """The streams of a tenant with the same filters, and up to where they are."""

    user_id: str
    parameters: Parameters
    at: Token
    # What was committed before the group began to listen may be after its position.
    is_stale: bool = True
    viewers: set[_Viewer] = field(default_factory=set)
    task: "asyncio.Task[None] | None" = None


class _Page(NamedTuple):
    """Changes with their positions and events, and where to go on."""

    events: list[tuple[Position, bytes]]
    following: Token
    has_more: bool


class LiveStreams:
    """All streams of a process. But for `__init__` everything runs on the event loop."""

    def __init__(self, config: Config, gate: Gate | None) -> None:
        self._config = config
        self._gate = gate
        # As many sessions as READERS.
        self._model = ReadModel(Database(replace(config, threads=READERS - 2)))
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="streams")
        self._viewers: set[_Viewer] = set()
        self._groups: dict[Hashable, _Group] = {}
        # How soon a change is learnt, once that is known.
        self._delay = ""
        self._is_followed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def serve(self, stream: EventStream, send: Send, is_ending: asyncio.Event) -> None:
        """Send the changes of a tenant until the caller leaves, may not go on or does not read, or the process ends."""
        viewer = _Viewer(stream, cast("asyncio.Task[Any]", asyncio.current_task()), stream.since.position)
        self._viewers.add(viewer)
        if not self._tasks:
            begun = (self._follow(), self._beat_for_ever(), self._end_with(is_ending))
            self._tasks = [asyncio.create_task(one) for one in begun]
        if is_ending.is_set():
            self._end(viewer)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_followed.wait(), RETRY_SECONDS)
            await _send(
                viewer, send, opening_event(stream, self._delay or "the database cannot be reached now")
            )
            if stream.is_gone:
                await _send(viewer, send, gone_event())
            else:
                await self._send_changes(viewer, send)
        except asyncio.CancelledError:
            # The caller has left, or does not read.
            pass
        finally:
            self._viewers.discard(viewer)
            stream.place.give_back()

    async def _send_changes(self, viewer: _Viewer, send: Send) -> None:
        stream = viewer.stream
        filters, values = given_filters(stream.parameters)
        key = (stream.user_id, filters, repr(sorted(values.items())))
        group = self._groups.setdefault(key, _Group(stream.user_id, stream.parameters, stream.now))
        try:
            if not await self._catch_up(viewer, group, send):
                return
            group.viewers.add(viewer)
            self._serve(key, group)
            while viewer.waiting or not viewer.is_over:
                await viewer.is_told.wait()
                viewer.is_told.clear()
                data, viewer.waiting, viewer.size = b"".join(viewer.waiting), [], 0
                if data:
                    await _send(viewer, send, data)
        finally:
            group.viewers.discard(viewer)
            if not group.viewers and self._groups.get(key) is group:
                del self._groups[key]

    async def _catch_up(self, viewer: _Viewer, group: _Group, send: Send) -> bool:
        """Send what is before the position of the group. Returns whether all of that is known."""
        at = viewer.stream.since
        while viewer.position < group.at.position and not viewer.is_over:
            try:
                page = await self._page(group, at)
            except TokenGoneError:
                await _send(viewer, send, gone_event())
                return False
            except UnavailableError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            at = page.following
            viewer.position = at.position
            await _send(viewer, send, b"".join(event for _, event in page.events))
        return True

    def _serve(self, key: Hashable, group: _Group) -> None:
        """Have a group read what changed, unless it does."""
        if group.task is None:
            group.task = asyncio.create_task(self._read(key, group))

    async def _read(self, key: Hashable, group: _Group) -> None:
        """Send what changed to all streams of a group."""
        try:
            while group.is_stale and group.viewers:
                group.is_stale = False
                try:
                    page = await self._page(group, group.at)
                except TokenGoneError:
                    for viewer in group.viewers:
                        viewer.give(gone_event(), is_last=True)
                    # Who comes back begins another one.
                    del self._groups[key]
                    return
                except UnavailableError:
                    group.is_stale = True
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                group.is_stale |= page.has_more
                group.at = page.following
                _give(page, group.viewers)
        finally:
            group.task = None

    async def _page(self, group: _Group, at: Token) -> _Page:
        """Returns what changed after a token. Raises TokenGoneError if that is not known, and UnavailableError."""
        asked = changes_since(group.user_id, at.position, group.parameters, with_versions=True)
        row = await self._in_thread(partial(self._model.look, asked))
        following = Token(position_after(at, row), history_of(row.place, row.epoch))
        events = [change_event(group.user_id, following.history, printed) for printed in row.page]
        return _Page(events, following, row.has_more)

    async def _in_thread(self, ask: Callable[[], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    def _changed(self, names: Collection[str] | None) -> None:
        """Have the groups of these tenants read; None is for all."""
        for key, group in [*self._groups.items()]:
            if names is None or name_of(group.user_id) in names:
                group.is_stale = True
                self._serve(key, group)

    async def _follow(self) -> None:
        """Learn which tenants change, for ever."""
        while True:
            try:
                listener = await self._in_thread(partial(listen, self._config))
                self._delay = (
                    "changes are told" if listener else f"changes are looked for every {POLL_SECONDS} s"
                )
                self._is_followed.set()
                log().info("event streams", learn=self._delay)
                # Something may have changed while nobody listened.
                self._changed(None)
                await (self._poll() if listener is None else self._hear(listener))
            except UnavailableError:
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:  # noqa: BLE001  # Whatever it is, the streams have to learn of changes again.
                log().exception("event streams do not learn of changes")
                await asyncio.sleep(RETRY_SECONDS)

    async def _hear(self, listener: OwnConnection) -> None:
        """Read what PostgreSQL tells. Raises UnavailableError at the end of the session."""
        loop, is_told = asyncio.get_running_loop(), asyncio.Event()
        # A session that has ended has none any more.
        number = listener.fileno()
        loop.add_reader(number, is_told.set)
        try:
            while True:
                await is_told.wait()
                is_told.clear()
                self._changed(read_told(listener))
        finally:
            loop.remove_reader(number)
            listener.close()

    async def _poll(self) -> None:
        """Ask for the version of each tenant with a stream, again and again."""
        known: dict[str, bytes | None] = {}
        while True:
            await asyncio.sleep(POLL_SECONDS)
            for tenant in {group.user_id for group in self._groups.values()}:
                with suppress(UnavailableError):
                    row = await self._in_thread(partial(self._model.look, tenant_now(tenant)))
                    if known.get(tenant) != row.version:
                        self._changed({name_of(tenant)})
                    known[tenant] = row.version

    async def _end_with(self, is_ending: asyncio.Event) -> None:
        """End all streams when the process ends: the server waits for their connections."""
        await is_ending.wait()
        for viewer in self._viewers:
            self._end(viewer)

    def _end(self, viewer: _Viewer) -> None:
        # Their callers come back one after the other.
        viewer.give(last_event(randint(*COME_BACK_MS)), is_last=True)  # noqa: S311  # It protects nothing.

    async def _beat_for_ever(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            unread = asyncio.get_running_loop().time() - UNREAD_SECONDS
            for viewer in [*self._viewers]:
                if viewer.sending_since < unread:
                    viewer.end_unread()
                elif not viewer.waiting:
                    viewer.give(BEAT)
            if self._gate is not None:
                await self._end_those_who_may_not_go_on(self._gate)

    async def _end_those_who_may_not_go_on(self, gate: Gate) -> None:
        """End the streams whose token has ended, or whose key was revoked."""
        late = [viewer for viewer in self._viewers if viewer.until <= time()]
        found: dict[tuple[str, str], float] = {}
        for viewer in late:
            caller = (viewer.stream.authorization, viewer.stream.user_id)
            if caller not in found:
                found[caller] = await self._in_thread(partial(_believed_until, gate, *caller))
            viewer.until = found[caller]
            if not viewer.until:
                viewer.give(b"", is_last=True)


async def _send(viewer: _Viewer, send: Send, data: bytes) -> None:
    viewer.sending_since = asyncio.get_running_loop().time()
    await send(data)
    viewer.sending_since = inf


def _give(page: _Page, viewers: Iterable[_Viewer]) -> None:
    """Have each of these streams send what it has not sent."""
    events, reached = page.events, page.following.position
    whole = b"".join(event for _, event in events)
    for viewer in viewers:
        if events and viewer.position < events[0][0]:
            viewer.give(whole)
        elif events and viewer.position < events[-1][0]:
            viewer.give(b"".join(event for at, event in events if at > viewer.position))
        viewer.position = max(viewer.position, reached)


def _believed_until(gate: Gate, authorization: str, user_id: str) -> float:
    """Returns until when a caller is believed; 0 if it may not read the tenant any more."""
    try:
        return gate.believed_until(authorization, user_id)
    except HTTPException:
        return 0.0
    except UnavailableError:
        # It cannot be asked now, and is asked again.
        return time()
