"""The ASGI application of a worker: Flask answers in threads, and streams wait on the event loop.

`Loop` begins each request in the thread of the server that hands it over. An answer from memory ends there.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from flask import Flask

from api.config import Config
from api.limits.exports import ExportStream
from api.observe.meters import STREAMS
from api.request.body import MAX_BODY_BYTES
from api.request.record import environ_key
from api.response.body import Headers, encoded
from api.response.events import EventStream
from api.routes.read_model import State
from api.server.loop import GoOn, Loop
from api.server.streams import LiveStreams

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Body = bytes | ExportStream | EventStream

_GOES_ON = (ExportStream, EventStream)
_BODYLESS = frozenset({"GET", "HEAD", "OPTIONS"})
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


class Front:
    """The application that the server calls."""

    def __init__(self, app: Flask, config: Config, threads: int) -> None:
        parts: State = app.extensions["leads"]
        self._app = app
        self._answer_at_once = parts.answer_at_once
        self._streams = LiveStreams(config, parts.gate)
        # Of requests, and of exports between two pieces.
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="answers")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["method"] in _BODYLESS:
            environ = environ_of(scope, b"")
            at_once = self._answer_at_once(environ)
            if at_once is None:
                await GoOn(self._threads)
            status, headers, body = at_once or self._answer(environ)
        else:
            await GoOn()
            environ = environ_of(scope, await _body(receive))
            loop = asyncio.get_running_loop()
            status, headers, body = await loop.run_in_executor(self._threads, self._answer, environ)
        start = {"type": "http.response.start", "status": status, "headers": headers}
        if isinstance(body, bytes):
            await send(start)
            await send({"type": "http.response.body", "body": body})
            return
        if scope["method"] in _BODYLESS:
            await GoOn()
        await send(start)
        # Only this has the server send the head: what breaks now ends the connection, and is no other answer.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        if isinstance(body, EventStream):
            await self._go_on(body, receive, send)
        else:
            await self._export(body, receive, send)

    def _answer(self, environ: "WSGIEnvironment") -> tuple[int, Headers, Body]:
        """Returns what Flask answers."""
        status, headers = 0, list[tuple[bytes, bytes]]()

        def start_response(line: str, given: list[tuple[str, str]], _: object = None) -> Any:  # noqa: ANN401  # Unused.
            nonlocal status, headers
            status, headers = int(line[:3]), encoded(given)

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
                piece = await loop.run_in_executor(self._threads, next, pieces, None)
                if piece is None:
                    await send({"type": "http.response.body", "body": b""})
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            closed.cancel()
            pieces.close()


def environ_of(scope: Scope, given: bytes) -> "WSGIEnvironment":
    """Returns a request as PEP 3333 has it."""
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
        "wsgi.input": BytesIO(given),
    }
    for name, value in scope["headers"]:
        key, text = _variable(name), value.decode("latin-1")
        before = environ.get(key)
        environ[key] = f"{before},{text}" if before else text
    return environ


@lru_cache(maxsize=256)
def _variable(name: bytes) -> str:
    return environ_key(name.decode("latin-1"))


async def _body(receive: Receive) -> bytes:
    """Returns the body of a request, or so much of it that it is seen to be too long."""
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
