"""A limit on CPU time: what takes too long is stopped and told, instead of holding up everything.

with within(5):
    parse(text)          # TookTooLong after five seconds of work, however busy the machine is
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class TookTooLong(Exception):
    """The limit was reached."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise `TookTooLong` where the body takes longer; in the main thread only, as signals are."""

    def stop(*_: object) -> None:
        raise TookTooLong(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
