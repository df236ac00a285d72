"""An event stream (`text/event-stream`): what its answer is before the server sends it, and how an event is written."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
from flask import Response

from api.limits.streams import Place
from api.request.change_token import Position, Token, write
from api.request.parameters import Parameters
from api.response.errors import TokenGoneError
from api.response.openapi import EVENTS

BEAT = b":\n\n"
# For a client that comes back by itself, in milliseconds.
RETRY_MS = 1000


@dataclass(slots=True, eq=False)
class EventStream:
    """The body of an answer that goes on: the server sends the changes of a tenant that pass filters.

    `since` is where the caller is, and `now` the token of the moment when the request was answered; `is_gone` if the
    changes between them are not known any more. `authorization` is what the caller has shown.
    """

    user_id: str
    parameters: Parameters
    since: Token
    now: Token
    authorization: str
    place: Place
    is_gone: bool

    def __iter__(self) -> Iterator[bytes]:
        """Yields nothing: a server that only iterates has no stream."""
        return iter(())


def open_stream(stream: EventStream) -> Response:
    """Returns the answer that begins a stream. No proxy should keep what it sends."""
    return Response(stream, content_type=EVENTS, headers={"X-Accel-Buffering": "no"}, direct_passthrough=True)


def opening_event(stream: EventStream, delay: str) -> bytes:
    """Returns how a stream begins: with its token, and how soon it has a change, which is a comment."""
    token = write(stream.user_id, stream.since)
    return f"retry: {RETRY_MS}\nid: {token}\n: {delay}\n\n".encode()


def change_event(user_id: str, history: bytes, printed: bytes) -> tuple[Position, bytes]:
    """Returns the position of a change that is printed behind its version, and its event."""
    version, _, change = printed.partition(b" ")
    position = Position(int(version), orjson.loads(change)["customer_phone"])
    token = write(user_id, Token(position, history))
    return position, b"id: %b\ndata: %b\n\n" % (token.encode(), change)


def gone_event() -> bytes:
    """Returns the event of a token that means nothing any more; who comes back begins anew, with the token of then."""
    error = {"error": "Gone", "message": TokenGoneError.description}
    return b"event: gone\nid:\ndata: %b\n\n" % orjson.dumps(error)


def last_event(retry_ms: int) -> bytes:
    """Returns the end of a stream whose client should come back after so many milliseconds."""
    return b"retry: %d\n\n" % retry_ms
