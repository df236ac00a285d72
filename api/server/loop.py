"""The event loop of a worker, which begins each request in the thread of the server that hands it over.

Granian reads and writes HTTP without Python, and schedules a coroutine for each request from a single thread. Answers
from memory are given in that thread; more threads would not help, because only one at a time runs Python. A request
that may wait continues in another thread, and a stream on the loop. Passing every request from the loop to a thread and
back would cost about 50 µs, and a busy loop would delay all of them.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from functools import partial
from inspect import iscoroutine
from typing import TypeVarTuple

Arguments = TypeVarTuple("Arguments")

# A coroutine that awaits this yields to Loop, as one that awaits a Turn does.
continue_on_event_loop = partial(asyncio.sleep, 0)


class Loop(asyncio.SelectorEventLoop):
    """An event loop that begins a coroutine in the thread that schedules it, and sets `is_ending` at a signal.

    What the coroutine first awaits decides where it continues: a Turn, in a thread; `continue_on_event_loop()`, on this
    loop.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_ending = asyncio.Event()
        self._nothing = asyncio.Handle(lambda: None, (), self)

    def call_soon_threadsafe(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        """Schedule a call or the rest of a coroutine. Returns its handle, which is empty if nothing is left."""
        coroutine = args[0] if args else None
        if iscoroutine(coroutine):
            try:
                turn = coroutine.send(None)
            except StopIteration:
                return self._nothing
            if turn is not None:
                turn.enter(partial(self.call_soon_threadsafe, callback, *args, context=context))
                return self._nothing
        return super().call_soon_threadsafe(callback, *args, context=context)

    def add_signal_handler(
        self, sig: int, callback: Callable[[*Arguments], object], *args: *Arguments
    ) -> None:
        """Have a signal call this and end the streams, because the server waits for their connections."""

        def end() -> None:
            self.is_ending.set()
            callback(*args)

        super().add_signal_handler(sig, end)


def build_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of a worker."""
    loop = Loop()
    asyncio.set_event_loop(loop)
    return loop
