"""Rows of a foreign file, one by one: what can be read comes out, what cannot is a `Reject` that says why.

JSON Lines or one big JSON list, plain or gzipped, with or without a byte order mark, any line ends. A bad row
costs that row only, also where it is cut, too long, or not UTF-8. Never more than one row and a piece of the
file are in memory, so a file of any size can be read.

    for row in rows("theirs.json"):
        if isinstance(row, Reject): print(row.line, row.reason)
        else: use(row.value)
"""

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from envs.retail.files import FileError
from envs.retail.sources.strict_json import Decoder, Fault

ROW_LIMIT = 16 * 2**20  # characters; a longer row is rejected unread
PIECE = 2**18
EXCERPT = 200

CUT, TOO_LONG, WRONG_SHAPE = "cut off", "too long", "wrong shape"


class Row(NamedTuple):
    """A value with the line it begins on and, in a list, its index."""

    line: int
    index: int | None
    value: Any


@dataclass(frozen=True)
class Reject:
    """A row that was not taken: where, which kind of fault, the reason in full, the beginning of the row."""

    file: str
    line: int | None
    index: int | None
    kind: str
    reason: str
    row: str = ""

    def to_json(self) -> dict[str, Any]:
        """The line of a rejects file."""
        place = {"file": self.file, "line": self.line, "index": self.index}
        place = {name: value for name, value in place.items() if value is not None}
        return place | {"kind": self.kind, "reason": self.reason, "row": shortened(self.row)}


def shortened(value: Any) -> str:
    """The beginning of a row, on one line."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= EXCERPT else text[:EXCERPT] + f"… ({len(text):,} characters)"


def rejects_beside(out: Path) -> Path:
    """Where the rows go that were not taken, if nobody says: OUT.rejects.jsonl."""
    return out.with_name(out.stem + ".rejects.jsonl")


def rows(path: str | Path) -> Iterator[Row | Reject]:
    """Every row of a JSONL file or element of a JSON list; `FileError` where nothing can be read at all."""
    source = _Source(path)
    while not source.text.strip() and source.more():
        pass
    if source.text.lstrip()[:1] == "[":
        yield from _elements(source)
    yield from _lines(source)


class _Source:
    """A text file read in pieces: what is left of the last piece, and the line it begins on."""

    def __init__(self, path: str | Path):
        self.path, self.text, self.at, self.line, self.fault = Path(path), "", 0, 1, ""
        self.decode = Decoder()
        self._pieces = _pieces(self.path)
        if not self.more() and self.fault:
            raise FileError(path, None, f"cannot be read: {self.fault}")

    @property
    def left(self) -> int:
        return len(self.text) - self.at

    def more(self) -> bool:
        """Read another piece; False at the end of the file, and where the file breaks (see `fault`)."""
        try:
            piece = next(self._pieces, "")
        except (OSError, EOFError, zlib.error) as error:
            self.fault, piece = str(error), ""
        if piece:
            self.text, self.at = self.text[self.at :] + piece, 0
        return bool(piece)

    def take(self, end: int) -> str:
        part, self.at = self.text[self.at : end], end
        self.line += part.count("\n")
        return part

    def skip_to(self, mark: str) -> str:
        """Go on to where `mark` stands next, or to the end; returns the beginning of what was skipped."""
        skipped = ""
        while (end := self.text.find(mark, self.at)) < 0:
            skipped += self.take(max(self.at, len(self.text) - len(mark) + 1))[: EXCERPT - len(skipped)]
            if not self.more():
                return skipped + self.take(len(self.text))
        return skipped + self.take(end)[: EXCERPT - len(skipped)]

    def reject(self, line: int, index: int | None, kind: str, reason: str, row: Any = "") -> Reject:
        return Reject(str(self.path), line, index, kind, reason, shortened(row))


def _pieces(path: Path) -> Iterator[str]:
    """The text in pieces; bytes that are not UTF-8 become lone surrogates, which the decoder finds."""
    with path.open("rb") as raw:
        start = raw.read(2)
        raw.seek(0)
        if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise FileError(path, 1, "is UTF-16; save it as UTF-8")
        if start == b"PA":
            raise FileError(path, 1, "looks like Parquet; write it as JSON Lines first")
        data = gzip.GzipFile(fileobj=raw) if start == b"\x1f\x8b" else raw
        decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        while piece := data.read1(PIECE):
            if text := decoder.decode(piece):
                yield text
        yield decoder.decode(b"", final=True)


def _lines(source: _Source) -> Iterator[Row | Reject]:
    while True:
        line, end = source.line, source.text.find("\n", source.at)
        if end < 0 and source.left > ROW_LIMIT:
            start = source.skip_to("\n")
            yield source.reject(
                line, None, TOO_LONG, f"the row is longer than {ROW_LIMIT:,} characters", start
            )
            continue
        if end < 0 and source.more():
            continue
        text = source.take(len(source.text) if end < 0 else end + 1).strip()
        if end < 0 and source.fault:
            yield source.reject(line, None, CUT, f"the file breaks off here: {source.fault}", text)
            return
        if text:
            yield _parsed(source, line, text, last=end < 0)
        if end < 0:
            return


def _parsed(source: _Source, line: int, text: str, last: bool) -> Row | Reject:
    value, fault = source.decode.whole(text)
    if not fault:
        return Row(line, None, value)
    return source.reject(line, None, CUT if last and fault.unfinished else fault.kind, fault.reason, text)


_SEPARATORS = re.compile(r"[\s,]*")
_OPENING = re.compile(r'\{\s*"(?:[^"\\]|\\.){1,100}"')


def _elements(source: _Source) -> Iterator[Row | Reject]:
    """The elements of a JSON list; after a broken one, the next is where text begins as the first did."""
    source.take(source.text.index("[") + 1)
    index, opening = 0, ""
    while source.left or source.more():
        source.take(_SEPARATORS.match(source.text, source.at).end())
        if not source.left:
            continue
        if source.text[source.at] == "]":
            source.take(source.at + 1)
            return
        value, end, fault = source.decode(source.text, source.at)
        if fault and fault.unfinished and source.left <= ROW_LIMIT and source.more():
            continue  # the element may only have been cut by the end of the piece
        line, first = source.line, _OPENING.match(source.text, source.at)
        opening = opening or (first.group() if first else "")
        if fault:
            yield _broken(source, line, index, end, fault, opening)
            if not source.left:
                return
        else:
            source.take(end)
            yield Row(line, index, value)
        index += 1
    yield source.reject(source.line, index, CUT, f"the list does not end: {source.fault or 'there is no ]'}")


def _broken(source: _Source, line: int, index: int, end: int, fault: Fault, opening: str) -> Reject:
    """Reject one element and go to the next."""
    if end:  # it could be read, but not be taken
        return source.reject(line, index, fault.kind, fault.reason, source.take(end))
    too_long = fault.unfinished and source.left > ROW_LIMIT
    start = source.take(source.at + 1) + source.skip_to(opening or "\n")
    if too_long:
        fault = Fault(TOO_LONG, f"the element is longer than {ROW_LIMIT:,} characters")
    elif fault.unfinished and not source.left:
        fault = Fault(CUT, f"the file ends inside this element: {source.fault or fault.reason}")
    return source.reject(line, index, fault.kind, fault.reason, start)
