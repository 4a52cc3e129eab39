"""A limit on CPU time: what takes too long is stopped and told, instead of holding up everything.

with within(5):
    parse(text)          # TookTooLong after five seconds of work, however busy the machine is
"""

import signal
from functools import cache
from types import TracebackType


class TookTooLong(Exception):
    """The limit was reached."""


class within:  # a class with the name of a function: entered a million times, it must cost little
    """Raise `TookTooLong` where the body takes more CPU time; in the main thread only, as signals are."""

    def __init__(self, seconds: float):
        self.seconds = seconds

    def __enter__(self) -> None:
        _listen()
        signal.setitimer(signal.ITIMER_PROF, self.seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if isinstance(error, TookTooLong) and not error.args:
            error.args = (f"more than {self.seconds:g} s",)


@cache
def _listen() -> None:
    def stop(*_: object) -> None:
        raise TookTooLong

    signal.signal(signal.SIGPROF, stop)
