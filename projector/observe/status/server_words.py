"""The two servers of a read model in a database of its own, as `status` shows them."""

from collections.abc import Iterator, Sequence

from projector.observe.status.read import Queue, Size
from projector.observe.status.servers import PLATFORM, ServerState, find_lost
from projector.observe.status.words import age_in_words, bytes_in_words, moment_in_words, waiting_in_words
from projector.sides import PLATFORM_SIDE, READ_MODEL_SIDE

CLOCK_TOLERANCE_SECONDS = 2.0


def server_lines(servers: Sequence[ServerState], sizes: Sequence[Size]) -> Iterator[tuple[str, str]]:
    """The lines of both servers; none where one database holds both sides."""
    for number, server in enumerate(servers):
        yield "" if number else "Servers", f"of the {server.side}: {_in_words(server, sizes)}"


def attention_to_servers(servers: Sequence[ServerState]) -> Iterator[str]:
    """A sentence for each of the servers that is away, or whose clock is another one."""
    for server in servers:
        if server.problem is not None:
            yield f"{server.problem}. {_meanwhile(server, servers)}"
        elif clock := _clock_in_words(server):
            yield (
                f"The clock of {READ_MODEL_SIDE} is {clock} that of {PLATFORM_SIDE}. By"
                " so much the ages are wrong that the API tells; no row is. Let NTP set the clocks of both servers."
            )


def _in_words(server: ServerState, sizes: Sequence[Size]) -> str:
    if server.problem is not None:
        return "away"
    parts = [str(server.place), f"PostgreSQL {server.version}"]
    if sizes:
        # Each side has schemas of its own.
        is_here = {size.table_name: size.table_name.startswith("projector.") for size in sizes}
        own = [size.bytes for size in sizes if is_here[size.table_name] is (server.side == PLATFORM)]
        parts.append(f"size {bytes_in_words(sum(own))}")
    if clock := _clock_in_words(server):
        parts.append(f"its clock is {clock} the other one")
    if server.changes is not None:
        waits = waiting_in_words(Queue(server.changes, server.lag))
        parts.append(waits if server.lag is None else f"{waits}, the oldest for {age_in_words(server.lag)}")
    if server.as_of is not None:
        parts.append(f"as of {moment_in_words(server.as_of)}")
    return ", ".join(parts)


def _meanwhile(server: ServerState, servers: Sequence[ServerState]) -> str:
    if len(find_lost(servers)) == len(servers):
        return "Both servers are away: the API answers 503."
    if server.side == PLATFORM:
        return "The API goes on with what the read model holds, and the projector waits for the server."
    return "The API answers 503 where it reads that server, and changes wait in the queue until it is back."


def _clock_in_words(server: ServerState) -> str | None:
    """Return how far the clock of a server is from the platform's, before that is named; None within the tolerance."""
    ahead = server.clock_ahead
    if ahead is None or abs(ahead) <= CLOCK_TOLERANCE_SECONDS:
        return None
    return f"{age_in_words(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'}"
