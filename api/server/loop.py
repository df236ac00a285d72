"""The event loop of a worker, which begins a request where the server hands it over.

Granian reads and writes HTTP without Python, and schedules a coroutine for each request from one thread of its own. An
answer from memory is given in that thread: several would wait for each other, since one of them at a time runs Python.
What may wait goes on in a thread that may. The loop gets what streams. To take each request there, from there to a
thread and back would cost some 50 µs more, and a loop that is busy would keep all of them waiting.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from functools import partial
from inspect import iscoroutine
from typing import TypeVarTuple

Arguments = TypeVarTuple("Arguments")

# A coroutine that awaits this yields to Loop, as one does that awaits a Turn.
continue_on_event_loop = partial(asyncio.sleep, 0)


class Loop(asyncio.SelectorEventLoop):
    """An event loop that begins a coroutine in the thread that schedules it, and sets `is_ending` at a signal.

    What the coroutine awaits first says where it goes on: a Turn, in a thread; `continue_on_event_loop()`, here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_ending = asyncio.Event()
        self._nothing = asyncio.Handle(lambda: None, (), self)

    def call_soon_threadsafe(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        """Schedule a call, or the rest of a coroutine. Returns a handle, which means nothing if there is no rest."""
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
        """Have a signal call this, and end the streams: the server waits for their connections."""

        def end() -> None:
            self.is_ending.set()
            callback(*args)

        super().add_signal_handler(sig, end)


def build_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of a worker."""
    loop = Loop()
    asyncio.set_event_loop(loop)
    return loop
