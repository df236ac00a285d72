"""SQLAlchemy's pool, which lends what it keeps without an object around it."""

from typing import TYPE_CHECKING, cast

from sqlalchemy.pool import ConnectionPoolEntry, QueuePool
from sqlalchemy.util.queue import Empty

if TYPE_CHECKING:
    from sqlalchemy.pool.base import _ConnectionRecord


class SessionPool(QueuePool):
    """A pool whose connections are lent by the entry that it keeps of each.

    SQLAlchemy makes an object for each loan, and has it watched by the garbage collector, so that what a caller forgets
    comes back. `Database` forgets none, and the object costs more than the rest of the loan.
    """

    def lend_idle(self) -> ConnectionPoolEntry | None:
        """Returns the entry of a connection that is open and idle, as `lend` does; None if there is none."""
        try:
            entry = self._pool.get(block=False)
        except Empty:
            return None
        if entry.dbapi_connection is None:
            self._do_return_conn(entry)
            return None
        return self._opened(entry)

    def lend(self) -> ConnectionPoolEntry:
        """Returns the entry of a connection that is open, as far as the pool knows; `give_back` has to follow.

        Raises TimeoutError if all are lent, and whatever opening a connection raises.
        """
        return self._opened(self._do_get())

    def _opened(self, entry: ConnectionPoolEntry) -> ConnectionPoolEntry:
        try:
            cast("_ConnectionRecord", entry).get_connection()
        except BaseException:
            self._do_return_conn(entry)
            raise
        return entry

    def give_back(self, entry: ConnectionPoolEntry) -> None:
        """End a loan."""
        self._do_return_conn(entry)
