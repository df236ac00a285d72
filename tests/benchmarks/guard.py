"""What a request pays for what protects it: authentication and row security, on against off in one run.

The API with a tenant's token and the role under row security takes turns with the API that asks for nothing and has the
owner's rights. Both get the same request, so that the header itself is in both.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from secrets import token_hex

from joserfc import jwt
from joserfc.jwk import OctKey

from tests.benchmarks import api_statements, processor, servers
from tests.benchmarks.core import Row, Sample, goal, interleave
from tests.benchmarks.fixtures import Fixtures
from tests.benchmarks.servers import Server

AREA = "Guard"
CLIENTS = (1, 32)


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    user_id = fixtures.main.tenants["big"]
    secret = token_hex(32)
    header = f"Authorization: Bearer {_token(secret, user_id)}"
    with api_statements.reader(fixtures.main) as reader:
        phone = reader.ordinary_lead(user_id)
    paths = {
        "single lead": f"/users/{user_id}/leads/{phone}",
        "list page of 50": f"/users/{user_id}/leads",
        "search": f"/users/{user_id}/leads?search=an+so",
    }
    with (
        servers.api(fixtures.main, LEADS_AUTH="jwt", LEADS_JWT_KEY=secret) as guarded,
        servers.api(fixtures.main, LEADS_AUTH="none", LEADS_API_ROLE="off") as open_to_all,
    ):
        for title, path in paths.items():
            # So many searches of one tenant at once are refused, as they should be.
            for clients in CLIENTS if title != "search" else CLIENTS[:1]:
                yield _compare(fixtures, title, path, clients, header, guarded, open_to_all)


def _compare(  # noqa: PLR0913, PLR0917  # Two servers, and what they are asked.
    fixtures: Fixtures, title: str, path: str, clients: int, header: str, guarded: Server, open_to_all: Server
) -> Row:
    def arm(server: Server) -> float:
        return processor.milliseconds_of_request(fixtures, server, path, connections=clients, header=header)

    found = interleave(
        fixtures.size.pairs,
        {"ours": partial(arm, guarded), "open": partial(arm, open_to_all)},
    )
    what = f"CPU of API and PostgreSQL, {title}, {clients} {'connection' if clients == 1 else 'connections'}"
    name = "without authentication and row security"
    return Row(
        AREA, what, "ms", found["ours"], name, found["open"], goal("guard"), own_ratio=_in_pairs(found)
    )


def _in_pairs(found: dict[str, Sample]) -> Sample:
    """The ratio of each round: both of a round had the same neighbours on this machine."""
    pairs = zip(found["ours"].values, found["open"].values, strict=True)
    return Sample(tuple(ours / other for ours, other in pairs))


def _token(secret: str, user_id: str) -> str:
    """A token of the tenant, which outlives the run."""
    ends = datetime.now(UTC) + timedelta(days=1)
    claims = {"sub": user_id, "exp": int(ends.timestamp())}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret))
