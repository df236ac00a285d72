"""The ASGI application of a worker: Flask answers in threads, and streams wait on the event loop.

`Loop` begins each request in the thread of the server that hands it over. An answer from memory ends there.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_to_bytes

from flask import Flask

from api.config import Config
from api.limits.exports import ExportStream
from api.observe.meters import STREAMS
from api.request.address import is_local
from api.request.body import MAX_BODY_BYTES
from api.request.record import AUTHORIZED, PAUSE_AT, PAUSED, Record, environ_key
from api.response.body import Headers, encoded
from api.response.events import EventStream
from api.response.plain import LIVE, TIMESTAMP, Answer
from api.routes.memory import Key, key_of
from api.routes.read_model import State
from api.server.callers import REPEATED, Callers
from api.server.loop import Loop, continue_on_event_loop
from api.server.streams import LiveStreams

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Body = bytes | ExportStream | EventStream

_GOES_ON = (ExportStream, EventStream)
_BODYLESS = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_SECONDS = 10.0
"""How long a caller may take for a body, which is short, once it is read."""

_RELEASE_SECONDS = 0.2
"""How long the server may take to let go of a body that is read no more.

It does not say when it has, and leaves the connection open if the answer is sent before.
"""

REPEAT_SECONDS = 0.5
"""How long the answers of REPEATED are given again. Whoever looks does so every few seconds."""

HELD_SECONDS = 1.0
_BUSY = "The API has more requests waiting than it takes: try again in a second"
_LATE = f"The body did not arrive within {BODY_SECONDS:g} seconds"
# Of address and headers. At some longer head the server itself says 431, without a body.
MAX_HEAD_BYTES = 32 * 1024
_LARGE = "The address and the headers of the request have more than 32 KiB together"
_READS = ("GET", "HEAD")
_CONSTANT = {
    "SCRIPT_NAME": "",
    # Werkzeug would take the address of this machine for what the caller has named.
    "HTTP_HOST": "",
    "wsgi.version": (1, 0),
    "wsgi.input_terminated": True,
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}


class _Repeat(NamedTuple):
    """The last answer of one of REPEATED, until when it is given again, and to which request."""

    key: Key
    ends: float
    answer: Answer


class Front:
    """The application that the server calls."""

    def __init__(self, app: Flask, config: Config) -> None:
        parts: State = app.extensions["leads"]
        self._app = app
        self._answer_from_memory = parts.answer_at_once
        self._plain = parts.plain
        # Any Host is answered once it was decided who may read.
        self._hosts = None if config.auth.methods else config.host_names
        self._callers = Callers(config, parts.authorizer)
        self._streams = LiveStreams(config, parts.authorizer)
        # Of exports between two pieces.
        self._exports = ThreadPoolExecutor(config.exports, thread_name_prefix="exports")
        self._repeats: dict[str, _Repeat] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        environ = environ_of(scope)
        answer: Answer | None = None
        if _head_bytes(scope) > MAX_HEAD_BYTES:
            answer = await self._paced(environ, self._plain.large_head(environ, _LARGE))
        elif environ["REQUEST_METHOD"] in _BODYLESS:
            answer = self._answer_from_memory(environ)
        answer = answer or await self._without_flask(environ)
        status, headers, body = answer or await self._in_turn(environ)
        paused: Record | None = environ.pop(PAUSED, None)
        if paused is not None:
            await continue_on_event_loop()
            status, headers, body = await self._with_body(environ, receive, paused)
        start = {"type": "http.response.start", "status": status, "headers": headers}
        if isinstance(body, bytes):
            await send(start)
            await send({"type": "http.response.body", "body": body})
            return
        # Flask takes `get` for GET, so the method does not say whether this runs in a thread.
        await continue_on_event_loop()
        await send(start)
        # Only this has the server send the head: what breaks now ends the connection, and is no other answer.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        if isinstance(body, EventStream):
            await self._go_on(body, receive, send)
        else:
            await self._export(body, receive, send)

    async def _without_flask(self, environ: "WSGIEnvironment") -> Answer | None:
        """Return the answer of /health/live, or one that is given again; None where Flask has to answer."""
        path, host = environ["PATH_INFO"], environ.get("HTTP_HOST", "")
        if path == LIVE and environ["REQUEST_METHOD"] in _READS:
            # Flask refuses several, or none.
            is_one = host and "," not in host
            if is_one and (self._hosts is None or is_local(host, self._hosts)):
                return await self._paced(environ, self._plain.live(environ, self._callers.problem()))
        elif path in REPEATED:
            repeat = self._repeats.get(path)
            if repeat is not None and monotonic() < repeat.ends and repeat.key == key_of(environ):
                return await self._paced(environ, self._plain.again(environ, repeat.answer))
        return None

    def _keep(self, environ: "WSGIEnvironment", begun: float, answer: tuple[int, Headers, Body]) -> None:
        """Keep an answer that is given again, unless it is an error whose end cannot be found."""
        key, (status, headers, body) = key_of(environ), answer
        if key is None or environ["REQUEST_METHOD"] == "HEAD" or not isinstance(body, bytes):
            return
        if status == HTTPStatus.OK or (status == HTTPStatus.SERVICE_UNAVAILABLE and TIMESTAMP in body):
            self._repeats[environ["PATH_INFO"]] = _Repeat(
                key, begun + REPEAT_SECONDS, (status, headers, body)
            )

    async def _paced(self, environ: "WSGIEnvironment", answer: Answer) -> Answer:
        """Return an answer, which is held back from an address that asks again and again without a pause."""
        if self._callers.is_hasty(environ):
            await continue_on_event_loop()
            await asyncio.sleep(HELD_SECONDS)
        return answer

    async def _in_turn(
        self, environ: "WSGIEnvironment", tenant: str | None = None
    ) -> tuple[int, Headers, Body]:
        """Return what Flask answers in a thread, as soon as it is the caller's turn.

        `tenant` is the one that the caller may read, once the request has paused for that.
        """
        line = self._callers.line(environ, tenant)
        if line is None:
            return await self._paced(environ, self._plain.unavailable(environ, _BUSY))
        await line
        begun = monotonic()
        answer = self._answer(environ)
        if PAUSED in environ and environ[PAUSE_AT] == AUTHORIZED:
            return await self._in_turn(environ, environ.pop(PAUSED).user_id)
        if environ["PATH_INFO"] in REPEATED:
            self._keep(environ, begun, answer)
        return answer

    async def _with_body(
        self, environ: "WSGIEnvironment", receive: Receive, paused: Record
    ) -> tuple[int, Headers, Body]:
        """Return the answer to a request that has passed everything but its body, which is read on the event loop."""
        reading = asyncio.create_task(_body(receive))
        await asyncio.wait([reading], timeout=BODY_SECONDS)
        if not reading.done():
            reading.cancel()
            await asyncio.wait([reading])
            await asyncio.sleep(_RELEASE_SECONDS)
            return self._plain.late_body(environ, paused, _LATE)
        body = reading.result()
        # Of a body in chunks Flask would take what fits, and leave the rest out without a word.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        line = self._callers.line(environ, paused.user_id)
        if line is None:
            return self._plain.unavailable(environ, _BUSY)
        del environ[PAUSE_AT]
        return await asyncio.get_running_loop().run_in_executor(line, self._answer, environ)

    def _answer(self, environ: "WSGIEnvironment") -> tuple[int, Headers, Body]:
        """Return what Flask answers."""
        status, headers = 0, list[tuple[bytes, bytes]]()

        def start_response(line: str, pairs: list[tuple[str, str]], _: object = None) -> Any:  # noqa: ANN401  # Unused.
            nonlocal status, headers
            status, headers = int(line[:3]), encoded(pairs)

        result: Iterable[bytes] = self._app(environ, start_response)
        if isinstance(result, _GOES_ON):
            return status, headers, result
        try:
            return status, headers, b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()

    async def _go_on(self, stream: EventStream, receive: Receive, send: Send) -> None:
        """Send a stream until it or its connection ends."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        is_ending = loop.is_ending if isinstance(loop, Loop) else asyncio.Event()

        async def give(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        closed = asyncio.create_task(_disconnected(receive))
        closed.add_done_callback(lambda _: task and task.cancel())
        with STREAMS.track_inprogress():
            await self._streams.serve(stream, give, is_ending)
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
    """Return a request as PEP 3333 has it."""
    environ: WSGIEnvironment = {
        **_CONSTANT,
        "REQUEST_METHOD": scope["method"],
        # Its bytes, as Latin-1.
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": scope["server"][1],
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.url_scheme": scope["scheme"],
        # Whoever reads a body has it put here before.
        "wsgi.input": BytesIO(),
    }
    for name, value in scope["headers"]:
        # PEP 3333 has the same key for X_Forwarded_For, which a proxy passes on, as for X-Forwarded-For.
        if b"_" in name:
            continue
        key, text = _variable(name), value.decode("latin-1")
        before = environ.get(key)
        environ[key] = f"{before},{text}" if before else text
    return environ


def _head_bytes(scope: Scope) -> int:
    """Return about how long the head of a request is."""
    head = len(scope["raw_path"]) + len(scope["query_string"])
    return head + sum(len(name) + len(value) for name, value in scope["headers"])


@lru_cache(maxsize=256)
def _variable(name: bytes) -> str:
    return environ_key(name.decode("latin-1"))


async def _body(receive: Receive) -> bytes:
    """Return the body of a request, or so much of it that it is seen to be too long."""
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
