"""Where a request waits for a thread: with those of its tenant once its caller is known, and until then by its address.

What a stranger may write, such as the tenant of a path, takes no place from a tenant.
"""

from collections import Counter
from time import monotonic
from wsgiref.types import WSGIEnvironment

from api.auth.authorizer import Authorizer
from api.config import Config
from api.limits.caller import caller_address
from api.limits.room import Line, Room
from api.limits.running import server_threads
from api.limits.waiting import MAX_WAITING
from api.request.record import AUTHORIZED, BODY, PAUSE_AT, environ_key
from api.response.plain import LIVE

# A process answers some thousand requests a second, so that the last one waits for about a second.
PLACES_OF_THREAD = 64
# Of requests without a tenant, and of callers who have to be checked: as many as browsers load at once. One thread of
# the interpreter runs at a time, so these are few, and rest as long as they work.
OPEN_THREADS = 2
OPEN_PLACES = 64
# One more than exports at once: it refuses those that find no place.
SPARE_EXPORT_THREADS = 1
EXPORT_ENDINGS = (".csv", ".ndjson")
# A query beyond that takes milliseconds of the interpreter, which nobody needs: so its threads rest for longer.
LONG_QUERY = 4096
LONG_QUERY_THREADS = 2
LONG_QUERY_REST = 3.0
STILL_SECONDS = 30.0
# Whoever waits for the second that Retry-After says, or looks at /health, asks less often.
AT_ONCE_PER_SECOND = 50
REPEATED = frozenset({"/health/ready", "/metrics"})

_CREDENTIAL = environ_key("Authorization")


class Callers:
    """The threads of a process, of tenants and of all others.

    What costs much more than the list has few threads of its own, which rest: a tenant that asks for it again and again
    leaves the interpreter and the database to the others.
    """

    def __init__(self, config: Config, authorizer: Authorizer | None) -> None:
        threads = server_threads(config.threads) + MAX_WAITING
        self._authorizer = authorizer
        self._proxies = config.proxies
        self._tenants = Room("answers", threads, threads * PLACES_OF_THREAD)
        opening = config.exports + SPARE_EXPORT_THREADS
        self._exports = Room("opening", opening, opening * PLACES_OF_THREAD, rest=1.0)
        self._long = Room(
            "long", LONG_QUERY_THREADS, LONG_QUERY_THREADS * PLACES_OF_THREAD, rest=LONG_QUERY_REST
        )
        self._others = Room("others", OPEN_THREADS, OPEN_PLACES, rest=1.0)
        # What was answered at once in this second, of each of these paths and of all others, to each address.
        self._second, self._answered = 0, Counter[tuple[str, str]]()

    def line(self, environ: WSGIEnvironment, authorized: str | None = None) -> Line | None:
        """Return where a request waits; None if too much waits there. Say where it pauses.

        `authorized` is the tenant that its caller may read, as was found out just now.
        """
        tenant, authorizer = authorized or _tenant(environ["PATH_INFO"]), self._authorizer
        address = f"from {caller_address(environ, self._proxies)}"
        if tenant and authorizer and not authorized:
            tenant = tenant if authorizer.was_allowed(environ.get(_CREDENTIAL, ""), tenant) else ""
        if tenant:
            # Nothing else takes a body.
            environ[PAUSE_AT] = BODY if environ["REQUEST_METHOD"] == "POST" else ""
            return self._room(environ).line(f"tenant {tenant}", address)
        environ[PAUSE_AT] = AUTHORIZED
        return self._others.line(address)

    def _room(self, environ: WSGIEnvironment) -> Room:
        if environ["PATH_INFO"].rstrip("/").endswith(EXPORT_ENDINGS):
            return self._exports
        return self._long if len(environ["QUERY_STRING"]) > LONG_QUERY else self._tenants

    def is_hasty(self, environ: WSGIEnvironment) -> bool:
        """Return whether an address has this path answered at once too often; count it.

        Anybody can invent paths, so all but those of LIVE and REPEATED count together.
        """
        path, second = environ["PATH_INFO"], int(monotonic())
        if second != self._second:
            self._second, self._answered = second, Counter()
        is_own = path == LIVE or path in REPEATED
        whose = caller_address(environ, self._proxies), path if is_own else ""
        self._answered[whose] += 1
        return self._answered[whose] > AT_ONCE_PER_SECOND

    def problem(self) -> str:
        """Return what shows that requests are not answered any more; an empty text if nothing does."""
        stands = any(room.stands_still(STILL_SECONDS) for room in (self._tenants, self._others))
        return f"No thread has taken a request for {STILL_SECONDS:g} seconds" if stands else ""


def _tenant(path: str) -> str:
    """Return the tenant of a path, whose bytes are given as Latin-1; an empty text where it has none."""
    # Werkzeug takes several slashes before it for one.
    first, tenant, *_ = f"{path.lstrip('/')}//".split("/", 2)
    return tenant.encode("latin-1").decode(errors="replace") if first == "users" else ""
