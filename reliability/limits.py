"""A stopwatch with a limit: what takes too long is stopped and told, instead of holding up everything.

with within(5):
    parse(text)          # TookTooLong after five seconds
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

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
