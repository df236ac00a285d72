"""Event streams (`text/event-stream`): the answer that the server turns into a stream, and the form of events."""

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
# After how many milliseconds a client reconnects by itself.
RETRY_MS = 1000


@dataclass(slots=True, eq=False, weakref_slot=True)
class EventStream:
    """The body of an answer that has no end: the server sends the changes of a tenant that pass the filters.

    `since` is the position of the caller; `is_gone` if the changes after it are no longer known. `authorization` is the
    header of the caller. `end` gives its place back, also if the server never gets the stream.
    """

    user_id: str
    # The name of the feed in tokens.
    feed: str
    parameters: Parameters
    since: Token
    authorization: str
    is_gone: bool
    end: Callable[[], object] = field(init=False)

    def __iter__(self) -> Iterator[bytes]:
        """Yield nothing: a server that only iterates cannot send a stream."""
        return iter(())


def open_stream(stream: EventStream, give_back: Callable[[], None]) -> Response:
    """Return the answer that begins a stream, which has taken a place. A header keeps proxies from buffering it."""
    stream.end = finalize(stream, give_back)
    return Response(stream, content_type=EVENTS, headers={"X-Accel-Buffering": "no"}, direct_passthrough=True)


def opening_event(stream: EventStream, delay: str) -> bytes:
    """Return the beginning of a stream: its token, and a comment that says how soon a change arrives."""
    token = write(stream.user_id, stream.since, stream.feed)
    return f"retry: {RETRY_MS}\nid: {token}\n: {delay}\n\n".encode()


def change_event(stream: EventStream, token: Token, change: bytes) -> bytes:
    """Return the event of a change, which is JSON, with the token of its position."""
    return b"id: %b\ndata: %b\n\n" % (write(stream.user_id, token, stream.feed).encode(), change)


def gone_event(export: str) -> bytes:
    """Return the event for a token that is no longer known. A client that reconnects begins with a new token.

    `export` is the file with which a client of the feed begins.
    """
    error = {"error": "Gone", "message": TokenGoneError(export).description}
    return b"event: gone\nid:\ndata: %b\n\n" % orjson.dumps(error)


def last_event(retry_ms: int) -> bytes:
    """Return the end of a stream whose client should reconnect after this many milliseconds."""
    return b"retry: %d\n\n" % retry_ms
