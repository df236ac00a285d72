"""An event stream (`text/event-stream`): what its answer is before the server sends it, and how an event is written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from weakref import finalize

import orjson
from flask import Response

from api.request.parameters import Parameters
from api.request.position.change_token import Token, write
from api.response.errors import TokenGoneError
from api.response.openapi import EVENTS

BEAT = b":\n\n"
NO_DATABASE = "the database cannot be reached now"
AWAY = f": {NO_DATABASE}\n\n".encode()
# For a client that comes back by itself, in milliseconds.
RETRY_MS = 1000


@dataclass(slots=True, eq=False, weakref_slot=True)
class EventStream:
    """The body of an answer that goes on: the server sends the changes of a tenant that pass filters.

    `since` is where the caller is; `is_gone` if the changes since then are not known any more. `authorization` is what
    the caller has shown. `end` gives its place back, which happens by itself if the server never gets it.
    """

    user_id: str
    # The feed, as tokens name it.
    feed: str
    parameters: Parameters
    since: Token
    authorization: str
    is_gone: bool
    end: Callable[[], object] = field(init=False)

    def __iter__(self) -> Iterator[bytes]:
        """Yield nothing: a server that only iterates has no stream."""
        return iter(())


def open_stream(stream: EventStream, give_back: Callable[[], None]) -> Response:
    """Return the answer that begins a stream, which has taken a place. No proxy should keep what it sends."""
    stream.end = finalize(stream, give_back)
    return Response(stream, content_type=EVENTS, headers={"X-Accel-Buffering": "no"}, direct_passthrough=True)


def opening_event(stream: EventStream, delay: str) -> bytes:
    """Return how a stream begins: with its token, and how soon it has a change, which is a comment."""
    token = write(stream.user_id, stream.since, stream.feed)
    return f"retry: {RETRY_MS}\nid: {token}\n: {delay}\n\n".encode()


def change_event(stream: EventStream, token: Token, change: bytes) -> bytes:
    """Return the event of a change, which is JSON, with the token of its position."""
    return b"id: %b\ndata: %b\n\n" % (write(stream.user_id, token, stream.feed).encode(), change)


def gone_event(export: str) -> bytes:
    """Return the event of a token that means nothing any more; who comes back begins anew, with the token of then.

    `export` is the file that a caller of the feed begins with.
    """
    error = {"error": "Gone", "message": TokenGoneError(export).description}
    return b"event: gone\nid:\ndata: %b\n\n" % orjson.dumps(error)


def last_event(retry_ms: int) -> bytes:
    """Return the end of a stream whose client should come back after so many milliseconds."""
    return b"retry: %d\n\n" % retry_ms
