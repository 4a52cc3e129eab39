"""What a user can mend, said in one sentence: on a command line it ends with exit code 2 and no traceback.

    with clear_errors(parser, ModelError):       # a full or read-only disk is always among them
        train_sft(...)

A full disk shows itself in many ways: as an OSError, or as some library's own error about a file that could
not be written. What was written whole before stays, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
# How libraries that write files by themselves (safetensors, torch) put it.
_FULL = (
    "No space left on device",
    "File too large",
    "Disk quota exceeded",
    "PytorchStreamWriter",
    "inline_container",
)
_FORBIDDEN = ("Read-only file system", "Permission denied", "Operation not permitted")
ROOM = "make room there, then start the same command again: it goes on from what was written whole"
PLACE = "choose a folder that can be written to (TOOL_OUTPUTS moves outputs/), or change its permissions"


@contextmanager
def clear_errors(parser: argparse.ArgumentParser, *kinds: type[Exception]) -> Iterator[None]:
    """End the command with one sentence for errors of these kinds, and for a disk that cannot be written."""
    try:
        yield
    except Exception as error:
        trouble = disk_trouble(error)
        if trouble:
            parser.error(trouble)
        if isinstance(error, kinds):
            parser.error(str(error))
        raise


def disk_trouble(error: BaseException) -> str:
    """What is wrong with the disk, if an error came of that; else ""."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__
    for one in seen:
        number = one.errno if isinstance(one, OSError) else None
        said = _words(one)
        first = said[:200]
        if number in FULL or (number is None and any(words in said for words in _FULL)):
            return f"the disk is full, or a limit of file sizes is reached ({first}); {ROOM}"
        if number in FORBIDDEN or (number is None and any(words in said for words in _FORBIDDEN)):
            return f"a file may not be written ({first}); {PLACE}"
    return ""


def _words(error: BaseException) -> str:
    """What an error says on one line; of a copied folder the reasons, not the paths before them."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        return "; ".join(str(reason) for *_, reason in error.args[0])
    return " ".join(str(error).split())
