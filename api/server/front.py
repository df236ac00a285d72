"""The ASGI application of a worker: a request passes stages, and the first stage that has an answer gives it.

`Loop` begins each request in the thread of the server that hands it over. An answer from memory ends there. For an
answer from Flask, the request continues in a thread when its turn comes. A request that waits for data, a change or its
body waits on the event loop. Flask runs at most once for a request.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from http import HTTPStatus
from io import BytesIO
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus, unquote_to_bytes

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from api.database.errors import UnavailableError
from api.database.statement import TenantNowRow
from api.limits.admission import BusyError, Slots
from api.limits.caller import Haste, caller_address
from api.limits.exports import ExportStream
from api.limits.waiting import MAX_WAITING, wait_for_data
from api.observe.meters import STREAMS
from api.plan.projection import tenant_now
from api.request.address import is_local
from api.request.body import MAX_BODY_BYTES
from api.request.record import CREDENTIAL, REFUSAL, environ_key
from api.request.text import read_min_as_of
from api.response.body import Headers, encoded
from api.response.events import EventStream
from api.response.plain import LIVE, TIMESTAMP, Answer
from api.routes.changes import awaited_change
from api.routes.memory import Key, key_of
from api.routes.read_model import State
from api.server.loop import Loop, continue_on_event_loop
from api.server.streams import LiveStreams

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Body = bytes | ExportStream | EventStream
Given = tuple[int, Headers, Body]
"""Status, headers and body of an answer; the body may be a stream or an export."""

_GOES_ON = (ExportStream, EventStream)
_BODYLESS = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_SECONDS = 10.0
"""How long a caller may take to send a body, which is short."""

_RELEASE_SECONDS = 0.2
"""How long the server may take to release a body that is no longer read.

It does not report when it has, and leaves the connection open if the answer is sent before.
"""

REPEATED = frozenset({"/health/ready", "/metrics"})
REPEAT_SECONDS = 0.5
"""How long the answers of REPEATED are given again; probes and scrapes come every few seconds."""

HELD_SECONDS = 1.0
_LATE = f"The body did not arrive within {BODY_SECONDS:g} seconds"
# The most bytes of address and headers. For a still longer head the server itself answers 431, without a body.
MAX_HEAD_BYTES = 32 * 1024
_LARGE = "The address and the headers of the request have more than 32 KiB together"
_READS = ("GET", "HEAD")
_WAITS = ("min_as_of", "wait")
_CONSTANT = {
    "SCRIPT_NAME": "",
    # Without it, Werkzeug would take the address of this machine for the Host of the request.
    "HTTP_HOST": "",
    "wsgi.version": (1, 0),
    "wsgi.input_terminated": True,
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}


class _Repeat(NamedTuple):
    """The last answer of one of REPEATED, the request that it answers, and until when it is given again."""

    key: Key
    ends: float
    answer: Answer


@dataclass(slots=True)
class Incoming:
    """A request on its way through the stages; `tenant` is the one that its caller may read, once it is authorized."""

    environ: "WSGIEnvironment"
    head_bytes: int
    receive: Receive
    tenant: str = ""


class Front:
    """The application that the server calls."""

    def __init__(self, app: Flask) -> None:
        parts: State = app.extensions["leads"]
        config = parts.config
        self._app = app
        self._addresses = app.url_map.bind("localhost")
        self._parts = parts
        self._plain = parts.plain
        self._admission = parts.admission
        # Any Host is answered if LEADS_AUTH says who may read.
        self._hosts = None if config.auth.methods else config.host_names
        self._haste = Haste(config.proxies, REPEATED | {LIVE})
        self._streams = LiveStreams(config, parts.authorizer)
        # The threads that read the pieces of exports.
        self._exports = ThreadPoolExecutor(config.exports, thread_name_prefix="exports")
        self._repeats: dict[str, _Repeat] = {}
        self._wait_for_data, self._wait_for_change = Slots(MAX_WAITING), Slots(MAX_WAITING)
        # The probes under way, by tenant.
        self._probes: dict[str, asyncio.Task[TenantNowRow]] = {}
        self._stages: tuple[Callable[[Incoming], Awaitable[Given | None]], ...] = (
            self._memory,
            self._health,
            self._authorize,
            self._wait,
            self._read_body,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Incoming(environ_of(scope), _head_bytes(scope), receive)
        answer: Given | None = None
        try:
            for stage in self._stages:
                answer = await stage(request)
                if answer is not None:
                    break
            else:
                answer = await self._flask(request)
        except BusyError as error:
            answer = await self._paced(request, self._plain.unavailable(request.environ, str(error)))
        await self._send(answer, receive, send)

    async def _memory(self, request: Incoming) -> Given | None:
        """Give an answer from memory if it does not have to wait. Refuse a head that is too long, before it is kept."""
        environ = request.environ
        if request.head_bytes > MAX_HEAD_BYTES:
            return await self._paced(request, self._plain.large_head(environ, _LARGE))
        return self._parts.answer_at_once(environ) if environ["REQUEST_METHOD"] in _BODYLESS else None

    async def _health(self, request: Incoming) -> Given | None:
        """Give the answer of /health/live, or repeat an answer that was given a moment ago."""
        environ = request.environ
        path, host = environ["PATH_INFO"], environ.get("HTTP_HOST", "")
        if path == LIVE and environ["REQUEST_METHOD"] in _READS:
            # Flask refuses a request with several Host headers or none.
            is_one = host and "," not in host
            if is_one and (self._hosts is None or is_local(host, self._hosts)):
                return await self._paced(request, self._plain.live(environ, self._admission.problem()))
        elif path in REPEATED:
            repeat = self._repeats.get(path)
            if repeat is not None and monotonic() < repeat.ends and repeat.key == key_of(environ):
                return await self._paced(request, self._plain.again(environ, repeat.answer))
        return None

    async def _authorize(self, request: Incoming) -> Given | None:
        """Note which tenant the caller may read. An unknown caller is checked in a turn; Flask answers a refusal."""
        environ, authorizer = request.environ, self._parts.authorizer
        tenant = _tenant(environ["PATH_INFO"])
        # OPTIONS needs no credentials.
        if not tenant or environ["REQUEST_METHOD"] == "OPTIONS":
            return None
        if authorizer is not None:
            header = environ.get(CREDENTIAL, "")
            if authorizer.cached_access(header, tenant) is None:
                # A caller who was allowed before does not wait behind strangers.
                await self._admission.turn(environ, tenant if authorizer.was_allowed(header, tenant) else "")
                try:
                    authorizer.require_access(header, tenant)
                except (HTTPException, UnavailableError) as error:
                    environ[REFUSAL] = error
                    return self._answer(environ)
        request.tenant = tenant
        return None

    async def _wait(self, request: Incoming) -> None:
        """Wait until the data are as fresh as min_as_of demands, and at a change feed with `wait` for a change."""
        environ, tenant = request.environ, request.tenant
        query = unquote_plus(environ["QUERY_STRING"])
        if not tenant or not any(name in query for name in _WAITS) or (rule := self._rule(environ)) is None:
            return
        await continue_on_event_loop()
        names = tenant, caller_address(environ, self._parts.config.proxies)
        min_as_of, change = read_min_as_of(environ["QUERY_STRING"]), awaited_change(rule, tenant, environ)
        # A min_as_of that cannot be read is refused with the other parameters.
        if min_as_of is not None and self._wait_for_data.take(*names):
            try:
                await wait_for_data(partial(self._probe, environ, tenant), min_as_of)
            finally:
                self._wait_for_data.give_back(*names)
        if change is not None and self._wait_for_change.take(*names):
            try:
                await self._streams.wait_for_change(*change, _is_ending())
            finally:
                self._wait_for_change.give_back(*names)

    async def _read_body(self, request: Incoming) -> Given | None:
        """Read the body of an authorized request to an endpoint that takes one."""
        environ, tenant = request.environ, request.tenant
        if environ["REQUEST_METHOD"] in _BODYLESS or not tenant or (rule := self._rule(environ)) is None:
            return None
        await continue_on_event_loop()
        reading = asyncio.create_task(_body(request.receive))
        await asyncio.wait([reading], timeout=BODY_SECONDS)
        if not reading.done():
            reading.cancel()
            await asyncio.wait([reading])
            await asyncio.sleep(_RELEASE_SECONDS)
            return await self._admission.turn(environ, tenant).run(partial(self._late, environ, tenant, rule))
        body = reading.result()
        # Flask would silently cut a body that is sent in chunks.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return None

    async def _flask(self, request: Incoming) -> Given:
        """Have Flask answer in a thread when the caller's turn comes."""
        turn = self._admission.turn(request.environ, request.tenant)
        return await turn.run(partial(self._answer, request.environ))

    async def _paced(self, request: Incoming, answer: Answer) -> Answer:
        """Return an answer, after a delay if its address repeats requests without a pause."""
        if self._haste.is_hasty(request.environ):
            await continue_on_event_loop()
            await asyncio.sleep(HELD_SECONDS)
        return answer

    def _rule(self, environ: "WSGIEnvironment") -> Rule | None:
        """Return the rule of the endpoint of a request; None if Flask will refuse it."""
        path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        try:
            rule, _ = self._addresses.match(path, environ["REQUEST_METHOD"], return_rule=True)
        except HTTPException:
            return None
        return rule

    async def _probe(self, environ: "WSGIEnvironment", tenant: str) -> TenantNowRow:
        """Return the present state of a tenant. Requests that wait for the same tenant share a probe."""
        probe = self._probes.get(tenant)
        if probe is None:
            turn = self._admission.turn(environ, tenant)
            read = partial(self._parts.read_model.look, tenant_now(tenant))
            probe = self._probes[tenant] = asyncio.create_task(turn.run(read))
            probe.add_done_callback(lambda _: self._probes.pop(tenant))
        # The probe continues for the others when one of them stops waiting.
        return await asyncio.shield(probe)

    def _late(self, environ: "WSGIEnvironment", tenant: str, rule: Rule) -> Answer:
        """Return the answer to a request whose body did not arrive. It counts against the rate limit like any other."""
        limit, authorizer = self._parts.limit, self._parts.authorizer
        headers = limit.headers_for(limit.count(tenant)) if limit else {}
        caller = authorizer.cached_access(environ.get(CREDENTIAL, ""), tenant) if authorizer else None
        return self._plain.late_body(environ, headers, (rule.rule, tenant, caller and caller.name), _LATE)

    def _answer(self, environ: "WSGIEnvironment") -> Given:
        """Return the answer of Flask."""
        status, headers, begun = 0, list[tuple[bytes, bytes]](), monotonic()

        def start_response(line: str, pairs: list[tuple[str, str]], _: object = None) -> Any:  # noqa: ANN401  # Unused.
            nonlocal status, headers
            status, headers = int(line[:3]), encoded(pairs)

        result: Iterable[bytes] = self._app(environ, start_response)
        if isinstance(result, _GOES_ON):
            return status, headers, result
        try:
            answer = status, headers, b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        if environ["PATH_INFO"] in REPEATED:
            self._keep(environ, begun, answer)
        return answer

    def _keep(self, environ: "WSGIEnvironment", begun: float, answer: Answer) -> None:
        """Keep an answer to repeat it, unless it is an error without a timestamp that could be replaced."""
        key, (status, _, body) = key_of(environ), answer
        if key is None or environ["REQUEST_METHOD"] == "HEAD":
            return
        if status == HTTPStatus.OK or (status == HTTPStatus.SERVICE_UNAVAILABLE and TIMESTAMP in body):
            self._repeats[environ["PATH_INFO"]] = _Repeat(key, begun + REPEAT_SECONDS, answer)

    async def _send(self, answer: Given, receive: Receive, send: Send) -> None:
        status, headers, body = answer
        start = {"type": "http.response.start", "status": status, "headers": headers}
        if isinstance(body, bytes):
            await send(start)
            await send({"type": "http.response.body", "body": body})
            return
        # This may run in a thread of Admission: a stream and an export need the event loop.
        await continue_on_event_loop()
        await send(start)
        # The server sends the head with the first part of the body. A later failure can only end the connection.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        if isinstance(body, EventStream):
            await self._go_on(body, receive, send)
        else:
            await self._export(body, receive, send)

    async def _go_on(self, stream: EventStream, receive: Receive, send: Send) -> None:
        """Send a stream until it or its connection ends."""
        task = asyncio.current_task()

        async def give(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        closed = asyncio.create_task(_disconnected(receive))
        closed.add_done_callback(lambda _: task and task.cancel())
        with STREAMS.track_inprogress():
            await self._streams.serve(stream, give, _is_ending())
        closed.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _export(self, pieces: ExportStream, receive: Receive, send: Send) -> None:
        """Send an export piece by piece, each when the caller has taken the one before."""
        loop = asyncio.get_running_loop()
        closed = asyncio.create_task(_disconnected(receive))
        try:
            while not closed.done():
                piece = await loop.run_in_executor(self._exports, next, pieces, None)
                if piece is None:
                    await send({"type": "http.response.body", "body": b""})
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            closed.cancel()
            pieces.close()


def environ_of(scope: Scope) -> "WSGIEnvironment":
    """Return the WSGI environment of a request (PEP 3333)."""
    environ: WSGIEnvironment = {
        **_CONSTANT,
        "REQUEST_METHOD": scope["method"],
        # Its bytes, decoded as Latin-1.
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": scope["server"][1],
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.url_scheme": scope["scheme"],
        # _read_body() replaces it.
        "wsgi.input": BytesIO(),
    }
    for name, value in scope["headers"]:
        # In PEP 3333 X_Forwarded_For, which proxies pass on unchecked, has the key of X-Forwarded-For.
        if b"_" in name:
            continue
        key, text = _variable(name), value.decode("latin-1")
        before = environ.get(key)
        environ[key] = f"{before},{text}" if before else text
    return environ


def _head_bytes(scope: Scope) -> int:
    """Return the approximate length of the head of a request."""
    head = len(scope["raw_path"]) + len(scope["query_string"])
    return head + sum(len(name) + len(value) for name, value in scope["headers"])


@lru_cache(maxsize=256)
def _variable(name: bytes) -> str:
    return environ_key(name.decode("latin-1"))


def _tenant(path: str) -> str:
    """Return the tenant of a path, which is decoded as Latin-1; an empty text if the path has none."""
    # Werkzeug takes several leading slashes for one.
    first, tenant, *_ = f"{path.lstrip('/')}//".split("/", 2)
    return tenant.encode("latin-1").decode(errors="replace") if first == "users" else ""


def _is_ending() -> asyncio.Event:
    """Return the event that is set when the process ends."""
    loop = asyncio.get_running_loop()
    return loop.is_ending if isinstance(loop, Loop) else asyncio.Event()


async def _body(receive: Receive) -> bytes:
    """Return the body of a request, or just enough of it to see that it is too long."""
    read = b""
    while len(read) <= MAX_BODY_BYTES:
        message = await receive()
        read += message.get("body", b"")
        if not message.get("more_body"):
            break
    return read


async def _disconnected(receive: Receive) -> None:
    """Return when the connection of a request has ended."""
    while (await receive())["type"] != "http.disconnect":
        pass
