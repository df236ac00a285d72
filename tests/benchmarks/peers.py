"""What others would serve the same rows by: plain Flask with a pool of psycopg's, and uvicorn with asyncpg.

`python -m tests.benchmarks.peers flask` runs on the server of the API; `… asyncpg` on uvicorn, in one process too, with
uvloop and httptools. Neither has a limiter, headers, row security, freshness, or a check of what it is asked. Both
print what the API prints, but for the timestamp and the correlation id, which are always the same.
"""

import gc
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import asyncpg
import uvicorn
from flask import Flask, Response
from psycopg_pool import ConnectionPool

from api import config
from tests.benchmarks.baseline_server import END, LIST, SINGLE, TOTAL, serve

_PAGE = 50

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]


def _lead(document: str) -> bytes:
    return b'{"success":true,"data":%b,%b' % (document.encode(), END)


def _page(documents: Iterable[str], found: int | None) -> bytes:
    total = found or 0
    more = "true" if total > _PAGE else "false"
    pages = f'{{"total":{total},"limit":{_PAGE},"offset":0,"hasMore":{more}}}'.encode()
    return b'{"success":true,"data":[%b],"pagination":%b,%b' % (",".join(documents).encode(), pages, END)


def flask() -> Flask:
    """Plain routes, each of which takes a connection of the pool."""
    settings = config.load()
    pool = ConnectionPool(
        settings.database_url, min_size=1, max_size=settings.threads, kwargs={"autocommit": True}, open=True
    )
    app = Flask("plain", static_folder=None)

    def single(user_id: str, customer_phone: str) -> Response:
        with pool.connection() as connection:
            [(document,)] = connection.execute(SINGLE, (user_id, customer_phone), prepare=True).fetchall()
        return Response(_lead(document), mimetype="application/json")

    def page(user_id: str) -> Response:
        with pool.connection() as connection:
            documents = connection.execute(LIST, (user_id,), prepare=True).fetchall()
            [(total,)] = connection.execute(TOTAL, (user_id,), prepare=True).fetchall()
        return Response(_page((document for (document,) in documents), total), mimetype="application/json")

    app.add_url_rule("/plain/<user_id>/single/<customer_phone>", view_func=single)
    app.add_url_rule("/plain/<user_id>/list", view_func=page)
    gc.collect()
    gc.freeze()
    return app


class AsyncApplication:
    """The same by ASGI, with no framework at all."""

    def __init__(self) -> None:
        self._settings = config.load()
        self._pool: asyncpg.Pool | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or follow the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        _, _, user_id, kind, *rest = scope["path"].split("/")
        body = await (self._single(user_id, rest[0]) if kind == "single" else self._list(user_id))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] == "lifespan.startup":
            self._pool = await asyncpg.create_pool(
                self._settings.database_url, min_size=1, max_size=self._settings.threads
            )
            await send({"type": "lifespan.startup.complete"})
        await self._connections.close()
        await send({"type": "lifespan.shutdown.complete"})

    @property
    def _connections(self) -> "asyncpg.Pool":
        if self._pool is None:
            raise AssertionError
        return self._pool

    async def _single(self, user_id: str, customer_phone: str) -> bytes:
        async with self._connections.acquire() as connection:
            return _lead(await connection.fetchval(_numbered(SINGLE), user_id, customer_phone))

    async def _list(self, user_id: str) -> bytes:
        async with self._connections.acquire() as connection:
            documents = await connection.fetch(_numbered(LIST), user_id)
            total = await connection.fetchval(_numbered(TOTAL), user_id)
        return _page((row[0] for row in documents), total)


def _numbered(query: str) -> str:
    """The query with the parameters of PostgreSQL's own protocol."""
    return query.replace("%s", "$1", 1).replace("%s", "$2", 1)


def main() -> None:
    """Serve one of the two."""
    if sys.argv[1] == "asyncpg":
        settings = config.load()
        uvicorn.run(
            AsyncApplication(),
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_level="error",
        )
        return
    serve("tests.benchmarks.peers:flask")


if __name__ == "__main__":
    main()
